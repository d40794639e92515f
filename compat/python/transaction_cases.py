"""Transactions: the cases of every client that has them, written once.

A client's module brings a Client and takes the cases with `globals().update(cases(client))`, so that
the runner finds them there.
"""

from harness import payloads, refused, same, until

class Producer:
    """A transactional producer that has been initialized. Its methods return when the broker has answered."""

    def begin(self):
        raise NotImplementedError

    def send(self, topic, *values, partition=0):
        """Raises what the broker refused a value with."""
        raise NotImplementedError

    def offsets(self, k, offsets, reader=None):
        """Offsets of k's group in k's topic, by partition; for the generation of a reader, where the client can say it."""
        raise NotImplementedError

    def commit(self):
        raise NotImplementedError

    def abort(self):
        raise NotImplementedError

    def close(self):
        raise NotImplementedError


class Reader:
    """A consumer in k's group that is subscribed to k's topic."""

    def poll(self):
        """Some (partition, offset, value), maybe none."""
        raise NotImplementedError

    def close(self):
        """It leaves without committing anything."""
        raise NotImplementedError


class Client:
    """What a client's shared module has, and its Producer and Reader."""

    fenced = ()  # the exceptions of a producer that has been fenced
    timed_out = ()  # of the commit of a transaction that the broker has ended

    def __init__(self, shared, producer, reader):
        self.shared = shared
        self.new_producer = producer  # of (k, name, codec, timeout_ms)
        self.reader = reader  # of (k): a Reader of committed data

    def create(self, k, partitions=1, topic=None):
        self.shared.create(k.on(topic), partitions)

    def producer(self, k, name="", codec=None, timeout_ms=60_000):
        """With the transactional id of this case, and a name to tell several apart."""
        return self.new_producer(k, name, codec, timeout_ms)

    def produce(self, k, value):
        """Outside of any transaction."""
        self.shared.produce(k, value)

    def read(self, k, isolation, topic=None, partition=0):
        """The values from the beginning to the end that a consumer of this isolation level has now."""
        raise NotImplementedError

    def committed(self, k, partition=0):
        """The offset that is committed for k's group in k's topic, None without one."""
        raise NotImplementedError


def cases(client):
    """{case_NAME: a function of k} of this client."""
    return {f"case_{f.__name__}": bound(f, client) for f in CASES}


def bound(f, client):
    return lambda k: f(k, client)


def sees(client, k, want, **where):
    """A consumer of committed data comes to see this: the producer may hear of its commit before the partitions do."""
    until(lambda: client.read(k, "read_committed", **where) == want, f"{want} where {client.read(k, 'read_committed', **where)} was")


def transact(p, topic, *values):
    p.begin()
    p.send(topic, *values)
    p.commit()


def transaction_commit(k, client):
    """Of two topics and several partitions, invisible until it ends."""
    other = f"{k.topic}-other"
    client.create(k, 2)
    client.create(k, topic=other)
    p = client.producer(k)
    p.begin()
    p.send(k.topic, b"a", b"b")
    p.send(k.topic, b"c", partition=1)
    p.send(other, b"d")
    same([], client.read(k, "read_committed"))
    same([b"a", b"b"], client.read(k, "read_uncommitted"))
    p.commit()
    sees(client, k, [b"a", b"b"])
    sees(client, k, [b"c"], partition=1)
    sees(client, k, [b"d"], topic=other)
    p.close()


def transaction_abort(k, client):
    """Between two that are committed."""
    client.create(k, 2)
    p = client.producer(k)
    transact(p, k.topic, b"before")
    p.begin()
    p.send(k.topic, b"aborted 1", b"aborted 2")
    p.send(k.topic, b"aborted 3", partition=1)
    p.abort()
    transact(p, k.topic, b"after")
    p.close()
    sees(client, k, [b"before", b"after"])
    sees(client, k, [], partition=1)
    same([b"before", b"aborted 1", b"aborted 2", b"after"], client.read(k, "read_uncommitted"))


def transaction_empty(k, client):
    client.create(k)
    p = client.producer(k)
    for end in (p.commit, p.abort, p.commit):
        p.begin()
        end()
    transact(p, k.topic, b"something")
    p.close()
    sees(client, k, [b"something"])


def transaction_big(k, client):
    """Many batches, compressed by each codec; one is aborted and one committed."""
    client.create(k)
    want = []
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        batch = [str(codec).encode() + b" " + v for v in payloads(1500)]
        p = client.producer(k, codec=codec)
        p.begin()
        p.send(k.topic, *batch)
        p.abort()
        transact(p, k.topic, *batch)
        p.close()
        want += batch
    sees(client, k, want)
    same(2 * len(want), len(client.read(k, "read_uncommitted")))


def transaction_open(k, client):
    """Whatever stands behind an open transaction waits for its end."""
    client.create(k)
    first, second = client.producer(k, "first"), client.producer(k, "second")
    transact(second, k.topic, b"before")
    first.begin()
    first.send(k.topic, b"open")
    transact(second, k.topic, b"behind")
    client.produce(k, b"plain")
    sees(client, k, [b"before"])
    same([b"before", b"open", b"behind", b"plain"], client.read(k, "read_uncommitted"))
    first.abort()
    sees(client, k, [b"before", b"behind", b"plain"])
    first.close()
    second.close()


def transaction_fenced(k, client):
    """A second producer ends the transaction of the first, which cannot go on with it."""
    client.create(k)
    first = client.producer(k)
    first.begin()
    first.send(k.topic, b"first")
    second = client.producer(k)
    with refused(client.fenced):
        first.send(k.topic, b"first again")
        first.commit()
    transact(second, k.topic, b"second")
    second.close()
    sees(client, k, [b"second"])


def transaction_restart(k, client):
    """What a producer has left open is aborted when it comes again, what it has committed stays."""
    client.create(k)
    first = client.producer(k)
    transact(first, k.topic, b"committed")
    first.begin()
    first.send(k.topic, b"open")
    second = client.producer(k)  # the first is not asked to close: it might abort
    transact(second, k.topic, b"again")
    second.close()
    sees(client, k, [b"committed", b"again"])
    same([b"committed", b"open", b"again"], client.read(k, "read_uncommitted"))


def transaction_timeout(k, client):
    """The broker looks for such transactions every ten seconds."""
    client.create(k)
    p = client.producer(k, timeout_ms=1000)
    p.begin()
    p.send(k.topic, b"too slow")
    client.produce(k, b"behind")
    sees(client, k, [b"behind"])
    with refused(client.timed_out):
        p.commit()


def transaction_offsets(k, client):
    """Committed with the transaction, forgotten with it."""
    client.create(k, 2)
    p = client.producer(k)
    p.begin()
    p.send(k.topic, b"one")
    p.offsets(k, {0: 1, 1: 5})
    p.commit()
    until(lambda: (client.committed(k), client.committed(k, 1)) == (1, 5), "offsets committed")
    p.begin()
    p.offsets(k, {0: 7})
    p.abort()
    same((1, 5), (client.committed(k), client.committed(k, 1)))
    p.begin()
    p.offsets(k, {0: 8})
    p.commit()
    until(lambda: client.committed(k) == 8, "the next offset")
    p.close()


def transaction_process(k, client):
    """Read, process, write: each record has one result, although every third transaction is in vain."""
    results = f"{k.topic}-results"
    client.create(k)
    client.create(k, topic=results)
    p = client.producer(k)
    want = [b"%d" % n for n in range(60)]
    transact(p, k.topic, *want)
    done, tries = 0, 0
    while done < len(want):
        reader = client.reader(k)  # whoever comes goes on where the last commit was
        records = until(reader.poll, "records")[:15]
        p.begin()
        p.send(results, *(value for _, _, value in records))
        p.offsets(k, {0: records[-1][1] + 1}, reader)
        tries += 1
        if tries % 3 == 0:
            p.abort()
        else:
            p.commit()
            done += len(records)
        reader.close()
    p.close()
    sees(client, k, want, topic=results)
    assert len(client.read(k, "read_uncommitted", topic=results)) > len(want), "nothing was aborted"


CASES = (
    transaction_commit,
    transaction_abort,
    transaction_empty,
    transaction_big,
    transaction_open,
    transaction_fenced,
    transaction_restart,
    transaction_timeout,
    transaction_offsets,
    transaction_process,
)
