import { Audit } from './audit/audit.ts'
import { Trail } from './audit/trail.ts'
import { AuthenticatorChain } from './auth/chain.ts'
import { ConfigAuthenticator, type ConfigAuthenticatorOptions } from './auth/config-authenticator.ts'
import { DeviceAuthenticator, type DeviceAuthenticatorOptions } from './auth/device-authenticator.ts'
import type { Authenticator } from './auth/principal.ts'
import type { Clock } from './clock.ts'
import { Commands } from './commands/commands.ts'
import { PlatformError } from './errors.ts'
import { Identity, type IdentityOptions } from './identity/identity.ts'
import { type Limits, Quotas, quotaConfig } from './limits/quotas.ts'
import { Usage } from './limits/usage.ts'
import { LiveBus } from './live/live-bus.ts'
import { TopicFeeds } from './live/topic-feeds.ts'
import { Repeats } from './idempotency/repeats.ts'
import type { Logger } from './log.ts'
import { type Follower, Outlet } from './messages.ts'
import { Plans } from './maintenance/plans.ts'
import type { Metrics } from './metrics.ts'
import { FleetLetters } from './outbox/fleet-letters.ts'
import { Outbox } from './outbox/outbox.ts'
import { OutboxWorker } from './outbox/worker.ts'
import { Overrides } from './overrides/overrides.ts'
import { Presence } from './presence/presence.ts'
import { Authorities } from './registry/authorities.ts'
import { CertificateExpiry } from './registry/certificate-expiry.ts'
import { Certificates } from './registry/certificates.ts'
import { CheckIns } from './registry/check-ins.ts'
import type { Durability } from './registry/organisations.ts'
import { Claims } from './registry/claims.ts'
import { CredentialUses } from './registry/credential-uses.ts'
import { DeviceIndex } from './registry/device-index.ts'
import { Provisioning } from './registry/provisioning.ts'
import { ProvisioningPrincipal, ProvisioningTopics } from './registry/provisioning-topics.ts'
import { tellRegistry } from './registry/registry-events.ts'
import { Registry } from './registry/registry.ts'
import { Sightings } from './registry/sightings.ts'
import { deleteDevices, importDevices, updateDevices } from './registry/bulk.ts'
import { Rolls } from './rolls/rolls.ts'
import { RollWatch } from './rolls/watch.ts'
import { Schedules } from './schedules/schedules.ts'
import { Lanes } from './store/lanes.ts'
import type { Store } from './store/store.ts'
import { TaskRunner } from './tasks/runner.ts'
import { Tasks } from './tasks/tasks.ts'
import { type Conventions, firstOf } from './telemetry/conventions.ts'
import { eraseTelemetry } from './telemetry/erase-task.ts'
import { Retentions } from './telemetry/retention.ts'
import { TwinFollower } from './twins/follower.ts'
import { Twins } from './twins/twins.ts'
import { Telemetry } from './telemetry/telemetry.ts'

export interface PlatformOptions {
  /** Stays the caller's: close it after the platform. */
  readonly store: Store
  readonly log: Logger
  readonly metrics: Metrics
  readonly clock: Clock
  /** Made if it is not there. Default: `default`. */
  readonly organisation?: string | undefined
  /** The broker's own users and anonymous access. Default: neither. */
  readonly auth?: Partial<Omit<ConfigAuthenticatorOptions, 'organisation'>> | undefined
  /** What organisations may use. Default: no limits. */
  readonly quotas?: Limits | undefined
  readonly devices?: DeviceAuthenticatorOptions | undefined
  /** Of an organisation, where the store makes a difference: see Lanes. */
  readonly durability?: ((org: string) => Durability) | undefined
  readonly identity?: Pick<IdentityOptions, 'mailer' | 'publicUrl'> | undefined
  /** Where this process is, for the audit. */
  readonly place?: { readonly dc: string; readonly process: string } | undefined
}

/** What a process needs of the platform, wired. */
export interface Platform {
  readonly lanes: Lanes
  readonly registry: Registry
  readonly identity: Identity
  readonly audit: Audit
  readonly trail: Trail
  readonly telemetry: Telemetry
  /** How long values are kept. */
  readonly retentions: Retentions
  readonly live: LiveBus
  /** MQTT messages for who watches them; whoever composes the broker opens it. */
  readonly topics: TopicFeeds
  readonly checkIns: CheckIns
  readonly sightings: Sightings
  /** Told by the broker who comes and goes (`PresenceLink`). */
  readonly presence: Presence
  /** Lists and searches. */
  readonly deviceIndex: DeviceIndex
  readonly authorities: Authorities
  readonly certificates: Certificates
  /** Started by whoever serves the API. */
  readonly certificateExpiry: CertificateExpiry
  readonly provisioning: Provisioning
  readonly claims: Claims
  readonly tasks: Tasks
  /** Started by whoever serves the API. */
  readonly taskRunner: TaskRunner
  /** Sends letters. Started by whoever serves the API. */
  readonly outboxWorker: OutboxWorker
  /** What is done to the hosts of the fleet. */
  readonly rolls: Rolls
  /** Tells who looks on. */
  readonly rollWatch: RollWatch
  /** What is done to it by itself. */
  readonly schedules: Schedules
  readonly repeats: Repeats
  /** Maintenance windows and silences. */
  readonly plans: Plans
  /** What organisations use, and may use. */
  readonly usage: Usage
  readonly authenticator: Authenticator
  readonly conventions: Conventions
  readonly commands: Commands
  readonly twins: Twins
  /** People's words about datacenters and hosts, which checkers read. */
  readonly overrides: Overrides
  /** Messages to devices go by it; whoever composes the broker opens it. */
  readonly outlet: Outlet
  /** For the broker: what becomes of those messages. */
  readonly follower: Follower
  /** The organisation of those who name none. */
  readonly organisation: string
  /** Writes what is staged. */
  close(): Promise<void>
}

/** A warning in the memory of the live streams, roughly. */
const warningBytes = 300

/** Opens the platform on a store. Rejects with StoreError or PlatformError. */
export async function openPlatform(options: PlatformOptions): Promise<Platform> {
  const { store, log, metrics, clock } = options
  const organisation = options.organisation ?? 'default'
  const registry = new Registry(store, clock)
  await ensureOrganisation(registry, organisation)
  const lanes = new Lanes(store, log, { durability: options.durability })
  const audit = new Audit(lanes, clock, metrics, options.place)
  const outbox = new Outbox(store, clock)
  const identity = new Identity({ store, lanes, clock, log, outbox, ...options.identity })
  registry.onDoubt(() => identity.doubt())
  const live = new LiveBus(metrics)
  const quotas = new Quotas(store, options.quotas ?? quotaConfig.parse({}))
  const usage = new Usage({ store, lanes, clock, log, metrics, quotas })
  usage.onWarning(({ org, ...data }) =>
    live.publish({ type: 'warning', org, device: null, at: clock.now(), data }, warningBytes),
  )
  const retentions = new Retentions(store)
  await retentions.refresh()
  const profileOf = async (org: string, id: string) =>
    (await registry.devices.findById(org, id))?.profile ?? null
  const telemetry = new Telemetry({ store, lanes, live, metrics, log, clock, retentions, profileOf, usage })
  const sightings = new Sightings(store, lanes, registry.entries)
  live.onTaken((event) => sightings.reported(event))
  tellRegistry(registry, live, clock)
  const checkIns = new CheckIns(store, lanes, sightings)
  const { devices: deviceService, entries } = registry
  const deviceIndex = new DeviceIndex(store, clock, { devices: deviceService, entries, metrics, log })
  registry.onDoubt(() => deviceIndex.doubt())
  const uses = new CredentialUses(lanes)
  registry.onKeyUsed((device, credential) => {
    uses.note(device, credential, clock.now())
    sightings.heard(device, clock.now())
  })
  const authorities = new Authorities(store, clock, registry.groups)
  const certificates = new Certificates(store, clock, registry, authorities, audit)
  const certificateExpiry = new CertificateExpiry(certificates, { metrics, log })
  registry.onDoubt(() => authorities.doubt())
  const claims = new Claims(store, clock, registry)
  const provisioning = new Provisioning(store, clock, registry, claims, audit)
  const tasks = new Tasks(store, clock)
  const kinds = [
    importDevices(registry),
    updateDevices(registry),
    deleteDevices(registry),
    eraseTelemetry(telemetry),
  ]
  const taskRunner = new TaskRunner(tasks, kinds, { clock, log, metrics })
  const presence = new Presence({
    store,
    lanes,
    live,
    clock,
    metrics,
    log,
    onSeen: (device, online, at) => sightings.seen(device, online, at),
    find: (org, id) => registry.devices.findById(org, id),
  })
  const outlet = new Outlet()
  const provisioningTopics = new ProvisioningTopics({ provisioning, outlet, log, metrics })
  const isConnected = async (org: string, id: string): Promise<boolean> =>
    (await presence.of(org, [id])).get(id)?.connected === true
  const commands = new Commands({ store, lanes, clock, outlet, live, log, metrics, isConnected })
  registry.onDeleted((device, deletedAt) => telemetry.purge(device, deletedAt))
  registry.onDeleted((device) => commands.purge(device))
  const twins = new Twins({ store, lanes, clock, outlet, live, log, metrics })
  registry.onDeleted((device) => twins.purge(device))
  registry.onDeleted((device) => checkIns.purge(device))
  registry.onDeleted((device) => sightings.purge(device))
  registry.onDeleted((device, deletedAt) => presence.purge(device, deletedAt))
  const configured = new ConfigAuthenticator({
    anonymous: false,
    users: [],
    acl: [],
    ...options.auth,
    organisation,
  })
  const devices = new DeviceAuthenticator(registry, clock, {
    certificateOrganisation: organisation,
    certificates,
    provisioner: async (key) => {
      const by = await provisioning.find(key)
      return by && new ProvisioningPrincipal(by, clock.now())
    },
    ...options.devices,
  })
  const rolls = new Rolls(store, clock)
  const schedules = new Schedules(store, clock)
  const { letters, users } = identity
  const fleetLetters = new FleetLetters({ rolls, schedules, users, letters, outbox, clock })
  const outboxWorker = new OutboxWorker({
    outbox,
    // A process without a mail server leaves them to those that have one.
    kinds: letters.sendable ? [letters.kind] : [],
    gather: () => fleetLetters.gather(),
    clock,
    log,
    metrics,
  })
  letters.onPut = () => outboxWorker.wake()
  return {
    lanes,
    registry,
    identity,
    audit,
    trail: new Trail(store),
    telemetry,
    retentions,
    live,
    topics: new TopicFeeds(metrics, clock),
    checkIns,
    sightings,
    presence,
    deviceIndex,
    authorities,
    certificates,
    certificateExpiry,
    provisioning,
    claims,
    tasks,
    taskRunner,
    outboxWorker,
    rolls,
    rollWatch: new RollWatch(rolls),
    schedules,
    repeats: new Repeats(store, clock),
    plans: new Plans(store, clock),
    usage,
    authenticator: new AuthenticatorChain(configured, devices),
    conventions: firstOf(provisioningTopics, commands.sinks, twins.sinks, telemetry),
    commands,
    twins,
    overrides: new Overrides(store, clock),
    outlet,
    follower: new TwinFollower(twins, commands.follower, log),
    organisation,
    close: () => {
      presence.stop()
      usage.close()
      commands.close()
      void outboxWorker.stop()
      return telemetry.close().then(() => lanes.close())
    },
  }
}

/** Times that a new organisation is tried for: processes of a new cell start at once, and one of them makes it. */
const maxTries = 10
const retryMs = 200
/** What another process's creation of it looks like from here, before and after it has reached our DC. */
const racing = new Set(['organisation_exists', 'user_taken', 'outcome_unknown'])

async function ensureOrganisation({ organisations }: Registry, id: string): Promise<void> {
  for (let tries = 1; (await organisations.find(id)) === undefined; tries++) {
    try {
      await organisations.create({ id })
    } catch (error) {
      if (!(error instanceof PlatformError) || !racing.has(error.code) || tries === maxTries) throw error
      await new Promise((later) => setTimeout(later, retryMs))
    }
  }
}
