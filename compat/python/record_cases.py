"""Records that are written and read back: what reads the same for confluent-kafka and for kafka-python.

A client's shared module has create, produce, producer, read and values; its cases are taken with
`globals().update(record_cases.cases(module))`, so that the runner finds them there.
"""

from harness import CODECS, payloads, same


def written(k, client, n, **config):
    """n values of a producer with this configuration come back."""
    client.create(k)
    want = payloads(n)
    client.produce(k, *want, p=client.producer(k, **config))
    same(want, client.values(client.read(k, n)))


def cases(client):
    found = {f"case_compression_{codec}": compressed(client, codec) for codec in CODECS}
    found |= {f"case_acks_{n}": acks(client, n) for n in (0, 1, "all")}
    found |= {f"case_{f.__name__}": bound(f, client) for f in (compression_mixed, large_record)}
    return found


def bound(f, client):
    return lambda k: f(k, client)


def setting(client, codec):
    """compression_type, as the client has it: kafka-python wants None for no codec."""
    return client.NO_CODEC if codec == "none" else codec


def compressed(client, codec):
    return lambda k: written(k, client, 2000, compression_type=setting(client, codec))


def acks(client, n):
    return lambda k: written(k, client, 200, acks=n)


def compression_mixed(k, client):
    """One consumer reads batches of every codec, beginning in the middle of one."""
    client.create(k)
    want = []
    for codec in CODECS:
        batch = [codec.encode() + b" " + p for p in payloads(100)]
        client.produce(k, *batch, p=client.producer(k, compression_type=setting(client, codec)))
        want += batch
    same(want, client.values(client.read(k, 500)))
    same(want[250:], client.values(client.read(k, 250, offset=250)))


def large_record(k, client):
    client.create(k)
    large = bytes(range(256)) * 3900
    client.produce(k, large)
    same([large], client.values(client.read(k, 1)))
