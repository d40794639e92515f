// The cases that are the same for every client, over what a client brings: create, produce, read (from
// an offset, with `from`), values of messages, and a member of a group.
import { codecs, payloads, same, until } from './harness.mjs'

export const strings = n => Array.from({ length: n }, (_, i) => String(i))

// A member joins, a second one, one leaves: every partition always has one owner in the end.
export async function rebalance({ create, member, produce, values }, k, options) {
  await create(k, 4)
  const one = await member(k, options)
  await until(() => one.owned().length === 4, 'all partitions with the first member')
  const two = await member(k, options)
  await until(
    () => one.owned().length === 2 && String([...one.owned(), ...two.owned()].toSorted()) === '0,1,2,3',
    'two partitions each',
  )
  await produce(k, strings(4).map((value, partition) => ({ value, partition })))
  await until(() => new Set(values([...one.got, ...two.got])).size === 4, 'a message of each partition')
  await one.leave()
  await until(() => two.owned().length === 4, 'all partitions with the second member')
}

export const casesOfEvery = client => {
  const { create, produce, read, values } = client
  const written = async (k, want, options) => {
    await create(k)
    await produce(k, want, options)
    same(want, values(await read(k, want.length)))
  }
  const compressed = compression => k => written(k, payloads(2000), { compression })
  const acks = n => k => written(k, payloads(200), { acks: n })

  return {
    compression_none: compressed('none'),
    compression_gzip: compressed('gzip'),
    compression_snappy: compressed('snappy'),
    compression_lz4: compressed('lz4'),
    compression_zstd: compressed('zstd'),

    // One consumer reads batches of every codec, beginning in the middle of one.
    async compression_mixed(k) {
      await create(k)
      const want = []
      for (const compression of codecs) {
        const batch = payloads(100).map(p => `${compression} ${p}`)
        await produce(k, batch, { compression })
        want.push(...batch)
      }
      same(want, values(await read(k, 500)))
      same(want.slice(250), values(await read(k, 250, { from: 250 })))
    },

    acks_0: acks(0),
    acks_1: acks(1),
    acks_all: acks(-1),

    group_rebalances: k => rebalance(client, k),
  }
}
