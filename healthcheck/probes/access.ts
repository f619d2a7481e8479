import type { SecureContext } from 'node:tls'
import type { Inventory } from '#platform/inventory/inventory.ts'

/** What probes need to be a device and a user of a cell. */
export interface Access {
  readonly inventory: Inventory
  /** Name of the checker: in topics and client ids, so that checkers do not hear each other. */
  readonly checker: string
  /** What hosts are asked for by SNI and Host. */
  readonly serviceName: string
  /** The authorities that certificates must come from; null: the API is asked in the clear. */
  readonly secure: SecureContext
  /** Whether the API, and MQTT over WebSocket, speak TLS. */
  readonly tls: boolean
  readonly device: { readonly id: string; readonly key: string }
  readonly apiKey: string
}
