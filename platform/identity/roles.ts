/**
 * What a person or an API key may do in an organisation; each includes those before it.
 * viewer: reads. operator: also commands, desired twins, acknowledging, disconnecting. developer: also devices, groups,
 * credentials, imports. admin: also users, API keys, the organisation itself.
 */
export const roles = ['viewer', 'operator', 'developer', 'admin'] as const
export type Role = (typeof roles)[number]

/** Whether who has the role may do what takes at least `least`. */
export function covers(role: Role, least: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(least)
}
