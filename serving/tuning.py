"""Numbers that were judged or measured once, and not on the machine at hand: each with its unit and its reason.

Decision 16 says which of them were measured, how, and how to measure them again. Read them as `tuning.NAME`.
"""

# Admission.

# Share of the queue deadline for the estimated wait: it is a mean, and the request's own call comes on top.
WAIT_SHARE = 0.7
# Weight of the newest call in the moving averages of the gate: they remember some tens of calls.
AVERAGE_WEIGHT = 0.05

# Batching.

# Company for a padded call is sought among the oldest texts, as many as fill this many calls: further back it ages.
CALLS_AHEAD = 4
# Calls that may take a younger text before an older one: with 8, throughput is 3 % below that without a limit.
MOST_OVERTAKEN = 8

# While others wait, requests whose texts do not fit into one call have every so manieth call: about 20 % of the engine.
BULK_EVERY = 5

# Inputs of each part of an answer that is sent in parts: few enough for the first to be there soon; each costs a job.
INPUTS_OF_A_PART = 8

# The worker.

# Bytes of a body that is decoded on the thread that received it: that takes less time than handing it to another one.
INLINE_BYTES = 8 * 1024
# Requests with larger bodies that may wait for a thread to decode them, and the bytes of these: what comes then is
# refused. Two threads decode such bodies in 5 to 50 ms each, so this many take longer than a client will wait.
MOST_UNDECODED, MOST_UNDECODED_BYTES = 256, 32 * 2**20

# Measured at a worker's start: the split of its cores.

# How often each split is measured, each time for how many seconds, with calls of how many tokens; the fastest counts.
WINDOWS, WINDOW_S, WINDOW_TOKENS = 2, 0.1, 128
# How many times faster a split of more streams must be: at about the same speed, fewer answer one client sooner.
CLEARLY_FASTER = 1.05

# Measured at a worker's start: what a call costs.

# Rounds of all shapes, at least and at most, and the seconds after which no further round begins.
COST_ROUNDS, COST_MEASURE_S = (1, 8), 0.4
# Widths of padded rows, in tokens, measured besides that of the longest text.
PADDED_WIDTHS = (8, 32, 128)

# Measured at a worker's start: how many tokens a call should have.

# Rounds of all sizes, at least and at most, and the seconds after which no further round begins.
SIZE_ROUNDS, SIZE_MEASURE_S = (2, 8), 0.5
# Sizes of calls in tokens, of which the best is taken, besides the most that the operator allows.
SIZES = (64, 96, 128, 192, 256, 384, 512)
# Seconds that a call costs beside the engine (taking texts, laying them out, telling the front): need not be exact.
AROUND_A_CALL_S = 0.35e-3
# Of sizes with this share of the best speed the smallest is taken: whoever comes next waits less for a free stream.
AS_GOOD = 0.96
# Tokens of texts where the manifest states none: those of sentences of SST-2, 24 on average.
TYPICAL_LENGTHS = (9, 34, 19, 13, 45, 24, 16, 28, 11, 39, 21, 31)

# Supervision.

# Seconds between two beats, the messages of a worker about its queue and its memory.
BEAT_S = 0.5
# Seconds without any message, and without work, after which a worker is taken to hang outside its engine: 20 beats.
SILENCE_S = 10.0
# Seconds between two looks at a worker.
WATCH_S = 0.5
# Seconds for the end of what a worker that has ended wrote to its socket, where a child of it holds that open.
LAST_WORDS_S = 0.2
# Seconds between two looks for requests whose deadline has passed, and for orphans that wait to be reaped.
SWEEP_S = 1.0
# How often a process gives back the memory that its C library keeps for later.
TRIM_S = 30.0
# From how many bytes on a block of memory is mapped for itself, and so given back when it is freed.
LARGE_BLOCK_BYTES = 128 * 1024
# Seconds before a worker is started again, the first time and at the most; doubled each time.
FIRST_BACK_OFF_S, LAST_BACK_OFF_S = 0.1, 30.0
# Seconds of being ready after which a worker that ends is started again as if it were the first time.
HEALTHY_AFTER_S = 60.0
# Seconds that a worker that has grown too large may take to finish what it has in hand.
RETIRE_S = 5.0
# Seconds that a request whose worker ended may wait for another one, where a variant has several.
STRANDED_S = 2.0

# Memory.

# Share of the memory that the bodies in the server may have in the front; the workers have copies of them.
BODIES_SHARE = 1 / 8
# MiB that the front needs: some 50 at its start, and what the system keeps on the container's account.
FRONT_MIB = 128
# MiB that a worker is taken to need besides its model, before one on its engine was measured: ONNX Runtime has 90.
WORKER_MIB = 128
# How many times the bytes of its files a model is taken to need while it is loaded: the file, and what is made of it.
COPIES_WHILE_LOADING = 2
# Loads that may wait for their turn; a load takes seconds, so what comes then would wait for minutes.
MOST_LOADS_WAITING = 32
# MiB below which no limit of a worker goes: ONNX Runtime with six layers has 210.
LEAST_WORKER_MIB = 256
