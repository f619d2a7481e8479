import { z } from 'zod'
import type { RestClient } from './rest.ts'

const device = z.object({ id: z.string(), name: z.string(), created_at: z.string() })
const deviceWithKey = device.extend({ key: z.string() })
const devicePage = z.object({ items: z.array(device), next: z.string().nullable() })

export type Device = z.output<typeof device>
export type DeviceWithKey = z.output<typeof deviceWithKey>

/** The devices of the token's organisation, through the REST API. */
export class DeviceClient {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  async add(name: string): Promise<DeviceWithKey> {
    return this.#rest.request(deviceWithKey, 'POST', '/v1/devices', { name })
  }

  /** All of them, page by page, in order of their names. */
  async *list(): AsyncGenerator<Device> {
    let cursor: string | null = null
    do {
      const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const page: z.output<typeof devicePage> = await this.#rest.request(
        devicePage,
        'GET',
        `/v1/devices?limit=100${query}`,
      )
      yield* page.items
      cursor = page.next
    } while (cursor !== null)
  }

  async remove(name: string): Promise<void> {
    await this.#rest.request(z.undefined(), 'DELETE', `/v1/devices/${encodeURIComponent(name)}`)
  }

  /** Gives it a new key; connections made with the old one are closed. */
  async rotate(name: string): Promise<DeviceWithKey> {
    return this.#rest.request(deviceWithKey, 'POST', `/v1/devices/${encodeURIComponent(name)}/key`, {})
  }
}
