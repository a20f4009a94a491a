"""Where rejections set in too suddenly for a threshold between two levels to be interpolated."""

_SHARE = 0.2
_PRECISION = 0.1


def is_cliff(good_users: int, bad_users: int, bad_share: float) -> bool:
    """Whether more than a fifth goes unserved at the bad level, which is more than a tenth above the good one."""
    return bad_share > _SHARE and bad_users - good_users > max(1.0, _PRECISION * good_users)
