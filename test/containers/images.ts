/** The official images that the contracts are tried on. Change a version here, nowhere else. */
export const images = {
  cassandra: 'cassandra:5.0',
  /** Older ones hang on a gateway whose peer accepts but stays silent. */
  nats: 'nats:2.15',
} as const
