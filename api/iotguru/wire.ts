import type { Request, Response } from 'express'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { ApiDeps } from '../deps.ts'

/** A node by the key in the URL, with the user that its organisation was at IoT Guru. */
export interface NodeOfKey {
  readonly id: string
  readonly user: string
  readonly device: DeviceRef
}

export async function nodeOfKey({ platform }: ApiDeps, key: string): Promise<NodeOfKey | undefined> {
  const owner = await platform.registry.findKey(key)
  if (owner?.kind !== 'node') return undefined
  return { id: owner.node, user: owner.organisation.user, device: owner.device }
}

/** Status and a line of text: what a person who tries it in a browser sees. */
export function answer(response: Response, status: number, text: string): void {
  response.status(status)
  if (text === '') response.end()
  else response.type('text/plain').send(text)
}

export function param(request: Request, name: string): string {
  return optionalParam(request, name) ?? ''
}

export function optionalParam({ params }: Request, name: string): string | undefined {
  const value: unknown = params[name]
  return typeof value === 'string' ? value : undefined
}
