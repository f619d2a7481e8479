import {
  ChangeResourceRecordSetsCommand,
  ChangeTagsForResourceCommand,
  CreateHealthCheckCommand,
  DeleteHealthCheckCommand,
  GetChangeCommand,
  GetHealthCheckStatusCommand,
  GetHostedZoneCommand,
  type HealthCheck,
  type HealthCheckConfig,
  type HostedZone as SdkZone,
  ListHostedZonesByNameCommand,
  ListResourceRecordSetsCommand,
  type ListResourceRecordSetsRequest,
  type ListResourceRecordSetsResponse,
  ListTagsForResourcesCommand,
  paginateListHealthChecks,
  type ResourceRecordSet,
  Route53Client,
  Route53ServiceException,
  UpdateHealthCheckCommand,
} from '@aws-sdk/client-route-53'
import { type HostedZone, type LiveCheck, type Route53, Route53Error, type Tags } from './port.ts'

/** ListTagsForResources takes no more ids. */
const tagsAtOnce = 10

/**
 * Route 53 by its SDK. Credentials are looked for as every AWS tool does (environment, profile, role of the machine).
 * It repeats nothing by itself, see retries.ts.
 */
export function sdkRoute53(options: { endpoint?: string | undefined } = {}): Route53 & { close(): void } {
  const client = new Route53Client({
    // Route 53 is one for all regions; its control plane is there.
    region: 'us-east-1',
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 5000, requestTimeout: 30_000, throwOnRequestTimeout: true },
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
  })
  const asked = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer
    } catch (error) {
      throw route53Error(error)
    }
  }
  return {
    close: () => client.destroy(),
    async zonesNamed(name) {
      const command = new ListHostedZonesByNameCommand({ DNSName: `${name}.`, MaxItems: 100 })
      const { HostedZones = [] } = await asked(client.send(command))
      return HostedZones.filter((one) => one.Config?.PrivateZone !== true)
        .map(zoneOf)
        .filter((one) => one.name === name)
    },
    async zone(id) {
      const { HostedZone } = await asked(client.send(new GetHostedZoneCommand({ Id: id })))
      return zoneOf(given(HostedZone))
    },
    async records(zone) {
      const found: ResourceRecordSet[] = []
      let from: Partial<ListResourceRecordSetsRequest> | undefined = {}
      while (from !== undefined) {
        const page: ListResourceRecordSetsResponse = await asked(
          client.send(new ListResourceRecordSetsCommand({ HostedZoneId: zone, ...from })),
        )
        found.push(...(page.ResourceRecordSets ?? []))
        from = page.IsTruncated
          ? {
              StartRecordName: page.NextRecordName,
              StartRecordType: page.NextRecordType,
              StartRecordIdentifier: page.NextRecordIdentifier,
            }
          : undefined
      }
      return found
    },
    async change(zone, changes, comment) {
      const command = new ChangeResourceRecordSetsCommand({
        HostedZoneId: zone,
        ChangeBatch: { Comment: comment, Changes: [...changes] },
      })
      return given((await asked(client.send(command))).ChangeInfo?.Id).replace('/change/', '')
    },
    async isInSync(change) {
      const { ChangeInfo } = await asked(client.send(new GetChangeCommand({ Id: change })))
      return ChangeInfo?.Status === 'INSYNC'
    },
    checks: () => asked(allChecks(client)),
    async createCheck(reference, config) {
      const command = new CreateHealthCheckCommand({ CallerReference: reference, HealthCheckConfig: config })
      return checkOf(given((await asked(client.send(command))).HealthCheck))
    },
    async updateCheck(id, version, config) {
      const { Type: _, RequestInterval: __, ...changeable } = config
      const command = new UpdateHealthCheckCommand({
        HealthCheckId: id,
        HealthCheckVersion: version,
        ...changeable,
      })
      return checkOf(given((await asked(client.send(command))).HealthCheck))
    },
    async deleteCheck(id) {
      await asked(client.send(new DeleteHealthCheckCommand({ HealthCheckId: id })))
    },
    async observations(id) {
      const command = new GetHealthCheckStatusCommand({ HealthCheckId: id })
      const { HealthCheckObservations = [] } = await asked(client.send(command))
      return HealthCheckObservations.map((one) => one.StatusReport?.Status ?? '')
    },
    async tags(of, ids) {
      const found = new Map<string, Tags>()
      for (let at = 0; at < ids.length; at += tagsAtOnce) {
        const command = new ListTagsForResourcesCommand({
          ResourceType: of,
          ResourceIds: ids.slice(at, at + tagsAtOnce),
        })
        const { ResourceTagSets = [] } = await asked(client.send(command))
        for (const { ResourceId, Tags: list = [] } of ResourceTagSets) {
          found.set(
            given(ResourceId),
            Object.fromEntries(list.map(({ Key, Value }) => [given(Key), Value ?? ''])),
          )
        }
      }
      return found
    },
    async tag(of, id, tags) {
      const AddTags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
      await asked(
        client.send(new ChangeTagsForResourceCommand({ ResourceType: of, ResourceId: id, AddTags })),
      )
    },
  }
}

async function allChecks(client: Route53Client): Promise<LiveCheck[]> {
  const found: LiveCheck[] = []
  for await (const page of paginateListHealthChecks({ client }, {})) {
    found.push(...(page.HealthChecks ?? []).map(checkOf))
  }
  return found
}

function zoneOf({ Id, Name }: SdkZone): HostedZone {
  return { id: given(Id).replace('/hostedzone/', ''), name: given(Name).replace(/\.$/, '') }
}

function checkOf(check: HealthCheck): LiveCheck {
  const config: HealthCheckConfig = given(check.HealthCheckConfig)
  return {
    id: given(check.Id),
    reference: given(check.CallerReference),
    version: given(check.HealthCheckVersion),
    config,
  }
}

/** The SDK's types let everything be absent; Route 53's API does not. */
function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Route53Error('InvalidAnswer', 'Route 53 left out a field of its answer')
  return value
}

function route53Error(error: unknown): Route53Error {
  if (error instanceof Route53Error) return error
  const { name, message, code } = error as NodeJS.ErrnoException
  const options = { cause: error }
  if (error instanceof Route53ServiceException) {
    const wrong = batchMessages(error)
    if (wrong !== undefined) return new Route53Error('InvalidChangeBatch', wrong.join('; '), options)
    const { httpStatusCode = 0 } = error.$metadata
    const known = name === 'ThrottlingException' ? 'Throttling' : name
    return new Route53Error(known, said(error), { ...options, refused: httpStatusCode < 500 })
  }
  if (/Credentials|Token(File|Provider)|SSO/.test(name)) {
    return new Route53Error('CredentialsMissing', message, options)
  }
  // A name that is not there and a port that nobody listens on: nothing was sent.
  const refused = code === 'ENOTFOUND' || code === 'ECONNREFUSED'
  return new Route53Error('Unreachable', code ?? message, { ...options, refused })
}

/** What is wrong with a batch: the API answers in a form of its own, which the SDK knows by its fields only. */
function batchMessages(error: Route53ServiceException): string[] | undefined {
  if (!('Messages' in error) || typeof error.Messages !== 'object' || error.Messages === null)
    return undefined
  const { Message: list } = error.Messages as { Message?: string | string[] }
  return list === undefined ? undefined : [list].flat()
}

function said({ message, name }: Route53ServiceException): string {
  return message === '' || message === 'UnknownError' ? name : message
}
