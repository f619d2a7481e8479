import type { ReasonCode } from './reason-code.ts'

/**
 * What every decoder throws for bytes it does not accept; nothing else is thrown. `reason` is what an MQTT 5 peer is
 * told. `clause` is the broken normative statement (`MQTT-3.1.2-3`), or the section where the specification states
 * the rule without a number (`3.1.2.11.3`). The numbering is MQTT 5's, except for rules that only 3.1.1 has.
 */
export class PacketError extends Error {
  readonly reason: ReasonCode
  readonly clause: string

  constructor(reason: ReasonCode, clause: string, message: string) {
    super(`${message} [${clause}]`)
    this.name = 'PacketError'
    this.reason = reason
    this.clause = clause
  }
}
