import { hash128 } from '#platform/hash.ts'
import { Batch, type Store } from '#platform/store/store.ts'
import { session, subscription } from '#platform/store/tables.ts'

const PAGE = 500

/** What the n-th seeded client is called. */
export function seededClient(n: number): string {
  return `device-${String(n).padStart(7, '0')}`
}

/**
 * Writes persistent sessions without a connection, each subscribed to a topic of its own with QoS 1, as a broker would
 * have left them; and to `also`.
 */
export async function seedSessions(store: Store, count: number, also?: string): Promise<void> {
  const stamp = (Date.now() - 60_000) * 1024
  for (let n = 0; n < count; n += PAGE) {
    const batch = new Batch()
    for (let i = n; i < Math.min(n + PAGE, count); i++) {
      const client_id = seededClient(i)
      const client = hash128(client_id)
      const sid = hash128(`sid ${client_id}`)
      batch.put(session, {
        org: 'default',
        client,
        epoch: stamp,
        client_id,
        sid,
        expiry: 86_400 * 7,
        username: '',
        ended_at: Date.now() - 60_000,
        stamp,
      })
      for (const filter of [`v1/devices/${client_id}/command`, ...(also === undefined ? [] : [also])]) {
        batch.put(subscription, {
          org: 'default',
          sid,
          filter_hash: hash128(filter),
          filter,
          options: 1,
          identifier: 0,
          stamp,
        })
      }
    }
    await store.write(batch)
  }
}
