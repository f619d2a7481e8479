import { decodeState } from '#broker/outbox/state.ts'
import { matches } from '#broker/packets/index.ts'
import { decodeStored } from '#broker/stored-message.ts'
import { includes } from '#broker/outbox/spans.ts'
import { inbox, session as sessionTable, state as stateTable } from '#platform/store/tables.ts'
import type { Cell } from './cell.ts'
import { KEEP_ALIVE, type SimClient } from './client.ts'
import type { Connected, Receipt, Sent, Subscribed } from './history.ts'
import { type Change, decodeChange } from './replica.ts'

/** A reconnect of DCs has to be told to all before what was subscribed meanwhile is known everywhere. */
const CONTACT_MS = 5000
/** Two connections of one client may live as long as this. */
const HOLDERS_MS = 2500

interface Row {
  readonly sid: string
  readonly writer: string
  readonly seq: number
  readonly id: string
}

/** What must be true, whatever happens. Letters are those of docs/cluster.md's guarantees, checked from outside. */
export class Checks {
  acknowledgements = 0
  readonly #cell: Cell
  /** Where the row of a message for a session can be read: `{dc} {sid} {message id}`. */
  readonly #readable = new Set<string>()
  /** Sessions that a client has had, as sids in hex. */
  readonly #sids = new Map<string, Set<string>>()
  readonly #clientOf = new Map<string, string>()
  /** Rows per session and writer whose message the client has not got. */
  readonly #rows = new Map<string, Row[]>()
  /** Messages and clients of which it was said that they were settled and not delivered. */
  readonly #lost = new Set<string>()
  readonly #seen = new WeakSet<Change>()
  readonly #known = new Map<Change, Row>()
  /** First receipt of each message by each client. */
  readonly #got = new Map<SimClient, Map<string, Receipt>>()
  /** Clients with more than one connection, since when. */
  readonly #doubled = new Map<string, number>()
  /** Clients whose session was lost, legally: what it was promised is void from then on. */
  readonly #forgiven = new Set<SimClient>()

  constructor(cell: Cell) {
    this.#cell = cell
  }

  // --- as it happens ----------------------------------------------------------------------------------

  /** A change became readable in a DC. */
  landed(dc: string, change: Change): void {
    if (change.kind !== 'cell' || change.value === null) return
    switch (change.table.name) {
      case inbox.name:
        this.#rowLanded(dc, change)
        break
      case sessionTable.name: {
        if (this.#seen.has(change)) return
        this.#seen.add(change)
        const { client_id: client, sid } = decodeChange(sessionTable, change)
        if (client === undefined || sid === undefined) return
        const name = Buffer.from(sid).toString('hex')
        const sids = this.#sids.get(client) ?? new Set()
        this.#sids.set(client, sids.add(name))
        this.#clientOf.set(name, client)
        break
      }
      case stateTable.name:
        if (this.#seen.has(change)) return
        this.#seen.add(change)
        this.#stateLanded(change)
        break
      default:
    }
  }

  #rowLanded(dc: string, change: Change & { kind: 'cell' }): void {
    let row = this.#known.get(change)
    if (row === undefined) {
      const { log, writer, seq, message } = decodeChange(inbox, change)
      const sid = Buffer.from(log).toString('hex')
      const id = message === undefined ? '' : decodeStored(message).message.payload.toString()
      row = { sid, writer: Buffer.from(writer).toString('hex'), seq, id }
      this.#known.set(change, row)
      const name = `${row.sid} ${row.writer}`
      const rows = this.#rows.get(name) ?? []
      rows.push(row)
      this.#rows.set(name, rows)
    }
    this.#readable.add(`${dc} ${row.sid} ${row.id}`)
    const { sid, writer, seq, id } = row
    this.#cell.world.trace(
      'row',
      seq,
      () => `${id} for ${this.#clientOf.get(sid) ?? sid} in ${dc} of ${this.#cell.nameOf(writer)} ${seq}`,
    )
  }

  /** (d) What a saved state calls settled has been delivered. */
  #stateLanded(change: Change & { kind: 'cell' }): void {
    const { sid, body } = decodeChange(stateTable, change)
    const name = Buffer.from(sid).toString('hex')
    const client = this.#client(this.#clientOf.get(name))
    if (client === undefined || body === undefined || this.#group(client) !== null) return
    const got = this.#got.get(client)
    const saved = decodeState(body)
    this.#cell.world.trace(
      'state',
      saved.writers.length,
      () =>
        `${client.id} ${saved.writers.map((w) => `${this.#cell.nameOf(Buffer.from(w.writer).toString('hex'))} ${w.floor}${w.above.map(([a, b]) => `+${a}-${b}`).join('')}`).join(', ')} out ${saved.out.map((f) => `${f.id}:${f.seq}:${f.state}`).join(' ')} in ${saved.in.map((f) => `${f.id}:${f.seq}`).join(' ')}`,
    )
    for (const { writer, floor, above } of saved.writers) {
      const key = `${name} ${Buffer.from(writer).toString('hex')}`
      const rows = this.#rows.get(key)
      if (rows === undefined) continue
      const left = rows.filter(({ id }) => got?.has(id) !== true)
      this.#rows.set(key, left)
      for (const { id, seq } of left) {
        if (seq > floor && !includes(above, seq)) continue
        const sent = this.#cell.history.sent.get(id)
        if (sent === undefined || sent.ackedAt === null || !this.#promised(client, sent)) continue
        if (this.#lost.has(id + client.id)) continue
        this.#lost.add(id + client.id)
        this.#cell.fail(`(d) settled and not delivered: ${id} to ${client.id} (row ${seq}, floor ${floor})`)
      }
    }
  }

  /** (i) A PUBACK or PUBREC has come: the rows that it promises can be read in the taker's DC. */
  acknowledged(sent: Sent): void {
    this.acknowledgements++
    const dc = sent.taker?.dc
    if (dc === undefined) return
    for (const client of this.#cell.clients) {
      if (!this.#promised(client, sent) || this.#group(client) !== null) continue
      const sids = [...(this.#sids.get(client.id) ?? [])]
      if (sids.some((sid) => this.#readable.has(`${dc} ${sid} ${sent.id}`))) continue
      this.#cell.fail(`(i) acknowledged without a row in ${dc}: ${sent.id} for ${client.id}`)
    }
  }

  /** A client shows a message to its user. */
  received(client: SimClient, receipt: Receipt): void {
    const { id, qos } = receipt
    let got = this.#got.get(client)
    if (got === undefined) this.#got.set(client, (got = new Map()))
    const first = got.get(id)
    const sent = this.#cell.history.sent.get(id)
    if (sent === undefined) {
      this.#cell.fail(`nobody sent ${id}, which ${client.id} got`)
      return
    }
    if (first === undefined) {
      got.set(id, receipt)
      return
    }
    // (b), (g) Retained messages come once for each subscription.
    if (qos < 2 || first.qos < 2 || receipt.retain || first.retain) return
    const { inDoubt, options } = this.#cell
    if (sent.excused || options.mode !== 'crash') return
    if (inDoubt.has(client.id) || inDoubt.has(sent.publisher)) return
    // A session without expiry is promised nothing when its publisher repeats itself at another process.
    if (client.plan.expiry > 0) this.#cell.fail(`(b) twice: ${id} to ${client.id}`)
  }

  sessionLost(client: SimClient): void {
    this.#forgiven.add(client)
  }

  /**
   * A session has ended at a CONNECT. In a DC that is cut off the others do not hear of it: the client may meet the old
   * session there, and what the new one was promised is lost if nobody takes it before.
   */
  sessionEnded(client: SimClient, { process, sentAt }: Connected): void {
    const { net, world } = this.#cell
    if (net.dcs.some((dc) => net.wasCut(process.dc, dc, sentAt, world.now))) this.#forgiven.add(client)
  }

  /** (e) Now and then: nobody has two connections for long. */
  watch(): void {
    const { world, processes, net, clients } = this.#cell
    for (const { id } of clients) {
      const holders = processes.filter((p) => p.up && p.holds(id))
      const apart = holders.some((p, i) =>
        holders.slice(i + 1).some((q) => net.wasCut(p.dc, q.dc, world.now - CONTACT_MS, world.now)),
      )
      if (holders.length < 2 || apart || this.#troubled()) this.#doubled.delete(id)
      else {
        const since = this.#doubled.get(id) ?? world.now
        this.#doubled.set(id, since)
        if (world.now - since < HOLDERS_MS) continue
        this.#doubled.delete(id)
        this.#cell.fail(`(e) two connections: ${id} at ${holders.map((p) => p.name).join(' and ')}`)
      }
    }
  }

  /** Somebody has just stood still, or frames get lost. */
  #troubled(): boolean {
    const { processes, network } = this.#cell
    return (
      processes.some((p) => p.life?.frozen === true || p.thawedAt > this.#cell.world.now - CONTACT_MS) ||
      network.faults.loss > 0 ||
      network.faults.late > 0
    )
  }

  // --- at the end -------------------------------------------------------------------------------------

  finish(): void {
    for (const client of this.#cell.clients) {
      if (client.busy) this.#cell.fail(`never answered: what ${client.id} published`)
      if (!client.established) this.#cell.fail(`cannot connect: ${client.id}`)
      this.#order(client)
    }
    for (const sent of this.#cell.history.sent.values()) this.#delivered(sent)
    this.#shared()
    this.#retained()
    this.#wills()
  }

  /** (a) Who was promised it has got it. */
  #delivered(sent: Sent): void {
    if (sent.ackedAt === null || sent.retain) return
    for (const client of this.#cell.clients) {
      if (this.#group(client) !== null || !this.#promised(client, sent)) continue
      if (this.#got.get(client)?.has(sent.id) !== true)
        this.#cell.fail(`(a) lost: ${sent.id} to ${client.id}`)
    }
  }

  /**
   * (c) Who published one thing after another on one connection is heard in that order; with QoS 2 and a session that is
   * kept over its connections, too, unless what the earlier one's process had taken could not get through.
   */
  #order(client: SimClient): void {
    if (this.#cell.options.mode !== 'crash' || this.#group(client) !== null) return
    const last = new Map<string, { sent: Sent; at: number }>()
    for (const { id, at } of this.#got.get(client)?.values() ?? []) {
      const sent = this.#cell.history.sent.get(id)
      if (sent === undefined || sent.connection === 0 || sent.retain || sent.excused) continue
      const ofSession = sent.qos === 2 && client.plan.expiry > 0 && !this.#cell.inDoubt.has(sent.publisher)
      if (sent.resent && !ofSession) continue
      const key = `${sent.publisher} ${ofSession ? '' : sent.connection} ${sent.topic}`
      const before = last.get(key)
      if (before === undefined || before.sent.n < sent.n) last.set(key, { sent, at })
      else if (isOneConnection(before.sent, sent) || !this.#hindered(sent, before.at))
        this.#cell.fail(`(c) order: ${sent.id} after ${before.sent.id} at ${client.id}`)
    }
  }

  /** Whether the process that took this message died or stood still, or frames were lost, from then until `until`. */
  #hindered({ sentAt, taker }: Sent, until: number): boolean {
    const { breaks, rains } = this.#cell
    if (sentAt === null || taker === null) return true
    return (
      rains.some(({ from, to }) => from <= until && to >= sentAt) ||
      breaks.some(({ process, at }) => process === taker && at >= sentAt && at <= until)
    )
  }

  /** (a) of shared groups: a member has got it. Who is sent it again after a crash may be another one. */
  #shared(): void {
    const members = this.#cell.clients.filter((client) => this.#group(client) !== null)
    if (members.length === 0) return
    for (const sent of this.#cell.history.sent.values()) {
      if (sent.ackedAt === null || !members.every((client) => this.#promised(client, sent))) continue
      const taken = members.some((client) => this.#got.get(client)?.has(sent.id) === true)
      if (!taken) this.#cell.fail(`(a) lost: ${sent.id} to the shared group`)
    }
  }

  /** (f) All have the same retained messages, and these are the newest; subscribers have seen them. */
  #retained(): void {
    const newest = new Map<string, Sent>()
    for (const sent of this.#cell.history.sent.values())
      if (sent.retain && sent.ackedAt !== null && sent.n > (newest.get(sent.topic)?.n ?? 0))
        newest.set(sent.topic, sent)
    for (const process of this.#cell.processes) {
      const held = process.retained()
      for (const [topic, { n }] of newest) {
        const sent = this.#cell.history.sent.get(held.get(topic) ?? '')
        if (sent === undefined || sent.n < n)
          this.#cell.fail(
            `(f) retained ${topic} is ${sent?.id ?? 'nothing'} at ${process.name}, newest is ${n}`,
          )
      }
    }
    const tables = this.#cell.processes.map((process) => process.tables())
    for (const [i, table] of tables.entries())
      if (table !== tables[0])
        this.#cell.fail(
          `(f) ${this.#cell.processes[i].name} and ${this.#cell.processes[0].name} differ: ${difference(table, tables[0])}`,
        )
    for (const client of this.#cell.clients)
      for (const s of client.subscriptions)
        if (s.filter.startsWith('r/') && s.endedAt === null)
          for (const sent of newest.values()) this.#hasSeen(client, s, sent)
  }

  /** (f) Who subscribed before or after a retained message has seen it, or a newer one. */
  #hasSeen(client: SimClient, s: Subscribed, { topic, n, taker, ackedAt }: Sent): void {
    for (const id of this.#got.get(client)?.keys() ?? []) {
      const sent = this.#cell.history.sent.get(id)
      if (sent !== undefined && sent.topic === topic && sent.n >= n) return
    }
    if (taker === null || s.process === null || ackedAt === null) return
    // In a cut neither the subscription nor the message is known to the other side.
    if (this.#cell.net.wasCut(s.process.dc, taker.dc, s.sentAt - CONTACT_MS, ackedAt)) return
    this.#cell.fail(`(f) ${client.id} never saw the newest retained ${topic}, number ${n}`)
  }

  /** (g) A will comes once when its client has gone without a word, and not otherwise. */
  #wills(): void {
    const { clients, options } = this.#cell
    const hearer = clients.find((client) => client.subscriptions.some((s) => s.filter === 'w/+'))
    const heard = hearer?.subscriptions.find((s) => s.filter === 'w/+' && s.endedAt === null)
    if (hearer === undefined || heard?.ackedAt === undefined || heard.ackedAt === null) return
    for (const client of clients) {
      for (const [i, connection] of client.connections.entries()) {
        const { will } = connection
        if (will === null || connection.ackedAt === null || connection.ended === null) continue
        const count = hearer.receipts.filter(({ id }) => id === will.id).length
        const { smooth } = connection
        if (!smooth(connection.endedAt + 10_000)) continue
        if (connection.ended === 'graceful') {
          if (count > 0) this.#cell.fail(`(g) a will of ${client.id} #${connection.n}, who had taken leave`)
          continue
        }
        const next = client.connections[i + 1]
        const delay = (client.plan.will?.delay ?? 0) * 1000
        // Of who vanishes the broker knows when its keep-alive is over, or when it is back: then it has not been away.
        const noticed = connection.endedAt + (connection.ended === 'vanished' ? KEEP_ALIVE * 1500 : 0)
        const back = next !== undefined && next.sentAt < noticed + delay + 500
        const due = heard.ackedAt < connection.sentAt && (delay === 0 || !back)
        if (due && count === 0 && options.mode === 'crash')
          this.#cell.fail(`(g) no will of ${client.id} #${connection.n}`)
      }
    }
  }

  // --- who was promised what --------------------------------------------------------------------------

  /** Whether the client's session was promised this message by the acknowledgement, for as long as the client wants it. */
  #promised(client: SimClient, sent: Sent): boolean {
    if (client.plan.expiry === 0 || this.#forgiven.has(client) || sent.sentAt === null) return false
    return client.subscriptions.some((s) => this.#covers(s, sent))
  }

  #covers(s: Subscribed, sent: Sent): boolean {
    if (s.endedAt !== null || s.ackedAt === null || sent.sentAt === null || s.ackedAt > sent.sentAt)
      return false
    if (!matches(s.filter.replace(/^\$share\/[^/]+\//, ''), sent.topic)) return false
    const { taker } = sent
    if (taker === null || s.process === null) return false
    // Not told to those out of contact.
    const known = Math.min(sent.sentAt, s.ackedAt + CONTACT_MS)
    if (!this.#cell.net.wasCut(s.process.dc, taker.dc, s.sentAt - CONTACT_MS, known)) return true
    return !this.#cell.net.wasCut(s.process.dc, taker.dc, sent.sentAt - CONTACT_MS, sent.sentAt)
  }

  #group(client: SimClient): string | null {
    const shared = client.plan.subscribes.find(({ filter }) => filter.startsWith('$share/'))
    return shared?.filter ?? null
  }

  #client(id: string | undefined): SimClient | undefined {
    return this.#cell.clients.find((client) => client.id === id)
  }
}

function isOneConnection(one: Sent, other: Sent): boolean {
  return one.connection === other.connection && !one.resent && !other.resent
}

/** The first lines in which two texts differ. */
function difference(one: string, other: string): string {
  const ours = new Set(one.split('\n'))
  const theirs = new Set(other.split('\n'))
  const only = (a: Set<string>, b: Set<string>): string =>
    [...a]
      .filter((line) => !b.has(line))
      .slice(0, 3)
      .join(' ; ')
  return `${only(ours, theirs)} <> ${only(theirs, ours)}`
}
