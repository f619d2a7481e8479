import type { ReasonCode } from './reason-code.ts'

/**
 * What every decoder throws for bytes it does not accept; nothing else is thrown. `reason` is what an MQTT 5 peer is
 * told. `clause` is the broken normative statement (`MQTT-3.1.2-3`), or the section where the specification states
 * the rule without a number (`3.1.2.11.3`). Numbers are MQTT 5's, except where a rule of 3.1.1 differs in more than
 * its number.
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
