// Transactions: the cases of every client that has them, written once over what a client brings:
//
// create(k, partitions, topic), produce(k, value, topic) outside of any transaction
// producer(k, options): a transactional producer with this case's id; options: name, to tell several
//   apart, and timeoutMs. Its begin() gives a transaction: send(topic, values, { partition,
//   compression }), offsets(reader, message) after that message, commit() and abort(), which wait
//   for the broker's answer
// read(k, isolation, { topic, partition }): the values up to the end that such a consumer has now
// reader(k): a member of k's group that reads what is committed; next(n) messages, with value and
//   offset; close() leaves without committing
// committed(k): the offset that is committed for k's group, undefined without one
// fenced: words that the error of a fenced producer has
import { codecs, payloads, refused, same, until } from './harness.mjs'

export const transactionCases = client => {
  const sees = async (k, want, where) => {
    let got
    const seen = async () => String((got = await client.read(k, 'committed', where))) === String(want)
    await until(seen).catch(() => same(want, got))
  }
  const transact = async (producer, topic, values, options) => {
    const transaction = await producer.begin()
    await transaction.send(topic, values, options)
    await transaction.commit()
  }

  return {
    // Of two topics and several partitions, invisible until it ends.
    async transaction_commit(k) {
      const other = `${k.topic}-other`
      await client.create(k, 2)
      await client.create(k, 1, other)
      const p = await client.producer(k)
      const transaction = await p.begin()
      await transaction.send(k.topic, ['a', 'b'])
      await transaction.send(k.topic, ['c'], { partition: 1 })
      await transaction.send(other, ['d'])
      same([], await client.read(k, 'committed'))
      same(['a', 'b'], await client.read(k, 'uncommitted'))
      await transaction.commit()
      await sees(k, ['a', 'b'])
      await sees(k, ['c'], { partition: 1 })
      await sees(k, ['d'], { topic: other })
    },

    // Between two that are committed.
    async transaction_abort(k) {
      await client.create(k, 2)
      const p = await client.producer(k)
      await transact(p, k.topic, ['before'])
      const transaction = await p.begin()
      await transaction.send(k.topic, ['aborted 1', 'aborted 2'])
      await transaction.send(k.topic, ['aborted 3'], { partition: 1 })
      await transaction.abort()
      await transact(p, k.topic, ['after'])
      await sees(k, ['before', 'after'])
      await sees(k, [], { partition: 1 })
      same(['before', 'aborted 1', 'aborted 2', 'after'], await client.read(k, 'uncommitted'))
    },

    // Of each codec one that is aborted and one that is committed.
    async transaction_compressed(k) {
      await client.create(k)
      const p = await client.producer(k)
      const want = []
      for (const compression of codecs) {
        const values = payloads(500).map(v => `${compression} ${v}`)
        const transaction = await p.begin()
        await transaction.send(k.topic, values, { compression })
        await transaction.abort()
        await transact(p, k.topic, values, { compression })
        want.push(...values)
      }
      await sees(k, want)
      same(2 * want.length, (await client.read(k, 'uncommitted')).length)
    },

    // Whatever stands behind an open transaction waits for its end.
    async transaction_open(k) {
      await client.create(k)
      const first = await client.producer(k, { name: 'first' })
      const second = await client.producer(k, { name: 'second' })
      await transact(second, k.topic, ['before'])
      const open = await first.begin()
      await open.send(k.topic, ['open'])
      await transact(second, k.topic, ['behind'])
      await client.produce(k, 'plain')
      await sees(k, ['before'])
      same(['before', 'open', 'behind', 'plain'], await client.read(k, 'uncommitted'))
      await open.abort()
      await sees(k, ['before', 'behind', 'plain'])
    },

    // A second producer ends the transaction of the first, which cannot go on with it.
    async transaction_fenced(k) {
      await client.create(k)
      const first = await (await client.producer(k)).begin()
      await first.send(k.topic, ['first'])
      const second = await client.producer(k)
      await transact(second, k.topic, ['second'])
      await refused(() => first.commit(), client.fenced)
      await transact(second, k.topic, ['second again'])
      await sees(k, ['second', 'second again'])
      same(['first', 'second', 'second again'], await client.read(k, 'uncommitted'))
    },

    // The broker looks for such transactions every ten seconds.
    async transaction_timeout(k) {
      await client.create(k)
      const slow = await (await client.producer(k, { timeoutMs: 1000 })).begin()
      await slow.send(k.topic, ['too slow'])
      await client.produce(k, 'behind')
      await sees(k, ['behind'])
      await refused(() => slow.commit())
    },

    // Read, process, write: each message has one result, although every third transaction is in vain.
    async transaction_process(k) {
      const results = `${k.topic}-results`
      await client.create(k)
      await client.create(k, 1, results)
      const want = Array.from({ length: 20 }, (_, i) => String(i))
      const p = await client.producer(k)
      await transact(p, k.topic, want)
      for (let done = 0, round = 1; done < want.length; round++) {
        const reader = await client.reader(k) // it goes on where the last commit was
        const messages = await reader.next(5)
        const transaction = await p.begin()
        await transaction.send(results, messages.map(m => String(m.value)))
        await transaction.offsets(reader, messages.at(-1))
        if (round % 3 === 0) {
          await transaction.abort()
          same(done, Number(await client.committed(k)))
        } else {
          await transaction.commit()
          done += 5
          await until(async () => Number(await client.committed(k)) === done, 'the offset')
        }
        await reader.close()
      }
      await sees(k, want, { topic: results })
      same(true, (await client.read(k, 'uncommitted', { topic: results })).length > want.length)
    },
  }
}
