import { type Dc, type Host, type Inventory, InventoryError } from './inventory.ts'

type Test = (host: Host, dc: Dc | undefined) => boolean

const token = /\s*(?:([&|!()])|([^\s&|!()]+))/y
const fields = ['host', 'dc', 'role', 'kind', 'provider'] as const
type Field = (typeof fields)[number]
/** Deeper than anybody writes. */
const maxDepth = 20

/**
 * The hosts that an expression means, in the inventory's order: names of hosts and DCs, `role=app`, `kind=backup`,
 * `dc=`, `host=`, `provider=`; joined by `&`, `|`, `!` and brackets. `dc01 & role=app`; `!kind=backup`.
 * InventoryError: it can't be read, it names what is not there, or it means no host at all.
 */
export function selectHosts(inventory: Inventory, expression: string): Host[] {
  const test = new Parser(inventory, expression).all()
  const dcs = new Map(inventory.dcs.map((dc) => [dc.name, dc]))
  const hosts = inventory.hosts.filter((host) => test(host, dcs.get(host.dc)))
  if (hosts.length === 0) throw new InventoryError([`no host of the inventory is meant by "${expression}"`])
  return hosts
}

/** or = and ('|' and)*; and = not ('&' not)*; not = '!' not | '(' or ')' | term */
class Parser {
  readonly #inventory: Inventory
  readonly #tokens: string[]
  readonly #text: string
  #at = 0

  constructor(inventory: Inventory, text: string) {
    this.#inventory = inventory
    this.#text = text
    this.#tokens = Array.from(text.matchAll(new RegExp(token, 'g')), ([, sign, word]) => sign ?? word)
  }

  all(): Test {
    const test = this.#or(0)
    if (this.#at < this.#tokens.length) throw this.#wrong(`"${this.#tokens[this.#at]}" is not expected there`)
    return test
  }

  #or(depth: number): Test {
    let left = this.#and(depth)
    while (this.#takes('|')) {
      const [a, b] = [left, this.#and(depth)]
      left = (host, dc) => a(host, dc) || b(host, dc)
    }
    return left
  }

  #and(depth: number): Test {
    let left = this.#not(depth)
    while (this.#takes('&')) {
      const [a, b] = [left, this.#not(depth)]
      left = (host, dc) => a(host, dc) && b(host, dc)
    }
    return left
  }

  #not(depth: number): Test {
    if (depth > maxDepth) throw this.#wrong('it is nested too deeply')
    if (this.#takes('!')) {
      const test = this.#not(depth + 1)
      return (host, dc) => !test(host, dc)
    }
    if (!this.#takes('(')) return this.#term()
    const test = this.#or(depth + 1)
    if (!this.#takes(')')) throw this.#wrong('a bracket is not closed')
    return test
  }

  #term(): Test {
    const word = this.#tokens[this.#at++]
    if (word === undefined) throw this.#wrong('it ends too early')
    if (/^[&|!()]$/.test(word)) throw this.#wrong(`"${word}" is not expected there`)
    const at = word.indexOf('=')
    return at === -1 ? this.#named(word) : this.#field(word.slice(0, at), word.slice(at + 1))
  }

  #named(name: string): Test {
    const { dcs, hosts } = this.#inventory
    if (dcs.some((dc) => dc.name === name)) return (host) => host.dc === name
    if (hosts.some((host) => host.name === name)) return (host) => host.name === name
    throw this.#wrong(
      `there is no host or DC "${name}"; fields are ${fields.map((field) => `${field}=`).join(', ')}`,
    )
  }

  #field(name: string, value: string): Test {
    const field = fields.find((one) => one === name)
    if (field === undefined) throw this.#wrong(`there is no field "${name}"; there are ${fields.join(', ')}`)
    if (!this.#inventory.hosts.some((host) => this.#has(host, field, value)))
      throw this.#wrong(`no host has ${field}=${value}`)
    return (host) => this.#has(host, field, value)
  }

  #has(host: Host, field: Field, value: string): boolean {
    const dc = this.#inventory.dcs.find((one) => one.name === host.dc)
    const values: Readonly<Record<Field, readonly (string | undefined)[]>> = {
      host: [host.name],
      dc: [host.dc],
      role: host.roles,
      kind: [dc?.kind],
      provider: [host.provider ?? dc?.provider],
    }
    return values[field].includes(value)
  }

  #takes(sign: string): boolean {
    if (this.#tokens[this.#at] !== sign) return false
    this.#at++
    return true
  }

  #wrong(why: string): InventoryError {
    return new InventoryError([`"${this.#text}": ${why}`])
  }
}
