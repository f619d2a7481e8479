/** Quality of service: at most once, at least once, exactly once (4.3). */
export type Qos = 0 | 1 | 2

/** Two bits as 0, 1 or 2; the caller has refused 3, which no field of MQTT allows. */
export function twoBits(bits: number): Qos {
  if (bits === 0) return 0
  return bits === 1 ? 1 : 2
}
