"""The lean client, asyncio and httptools: the open loop, and a closed one without think time."""
