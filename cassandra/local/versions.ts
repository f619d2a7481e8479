/** Everything that the local engine is made of, pinned. Change it here, nowhere else. */
export const versions = {
  cassandra: '5.0.9',
  mavenDependencyPlugin: '3.8.1',
  /** Oldest Java that the jars run on with the flags used, and the newest that still lets itself be configured so. */
  javaFrom: 17,
  javaTo: 23,
} as const
