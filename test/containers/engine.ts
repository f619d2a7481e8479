import { lookup } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { type ContainerRuntimeClient, getContainerRuntimeClient, ImageName } from 'testcontainers'

/**
 * The container engine of this machine: that of `$DOCKER_HOST`, else Docker, else Podman. What Podman needs to be
 * found is put into the environment, for this process and those it starts.
 *
 * @throws Error of one line with the remedy when no engine answers
 */
export async function findEngine(): Promise<ContainerRuntimeClient> {
  usePodman()
  try {
    return await getContainerRuntimeClient()
  } catch {
    const told = process.env.DOCKER_HOST
    throw new Error(
      told === undefined
        ? 'no container engine answers: start Docker, or Podman (systemctl --user start podman.socket), ' +
            'or say in DOCKER_HOST where one is'
        : `no container engine answers at DOCKER_HOST ${told}: start it, or correct DOCKER_HOST`,
    )
  }
}

/** @throws Error of one line when the image is not there and cannot be fetched */
export async function fetchImage(engine: ContainerRuntimeClient, image: string): Promise<void> {
  const name = ImageName.fromString(image)
  try {
    if (await engine.image.exists(name)) return
    console.log(`fetching image ${image}, once`)
    await engine.image.pull(name)
    // A pull that fails half way does not say so.
    if (await engine.image.exists(name)) return
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new Error(`image ${image} cannot be fetched: ${text.trim().replaceAll(/\s+/g, ' ')}`, {
      cause: error,
    })
  }
  throw new Error(`image ${image} cannot be fetched: can this machine reach its registry?`)
}

/** Where ports of containers are reached from here: IPv4, which every engine gives them. */
export async function engineAddress(): Promise<string> {
  const { info } = await getContainerRuntimeClient()
  const { address } = await lookup(info.containerRuntime.host, 4)
  return address
}

/** testcontainers looks for sockets of Docker only. */
function usePodman(): void {
  const { env } = process
  if (env.DOCKER_HOST === undefined && !existsSync('/var/run/docker.sock')) {
    const directories = [env.XDG_RUNTIME_DIR, '/run'].filter((one) => one !== undefined)
    const socket = directories
      .map((one) => path.join(one, 'podman/podman.sock'))
      .find((one) => existsSync(one))
    if (socket !== undefined) env.DOCKER_HOST = `unix://${socket}`
  }
  // What removes the containers of a run that was killed must reach the engine's socket.
  if (env.DOCKER_HOST?.includes('podman') === true) env.TESTCONTAINERS_RYUK_PRIVILEGED ??= 'true'
}
