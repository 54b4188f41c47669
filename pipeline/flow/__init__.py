"""The job: from the bytes that come in to the effects that go out. Pure: no I/O, no clock, no globals."""
