import { storeContract } from '../platform/store/contract.ts'
import { Life } from './life.ts'
import { Net } from './net.ts'
import { SimDatabase, SimStore } from './sim-store.ts'
import { World } from './world.ts'

// The database of the simulator without faults is a store like any other: else it would find what is not there.
storeContract({
  name: 'simulated database',
  ordered: false,
  clocked: true,
  open: async (clock) => {
    const world = new World(1)
    const database = new SimDatabase(world, new Net(world, ['dc01', 'dc02', 'dc03']))
    const life = new Life(world, 'test', 0)
    life.now = () => clock.now()
    let open = true
    const pass = async (): Promise<void> => {
      while (open) {
        await world.run(world.now + 10)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    void pass()
    return {
      store: new SimStore(database, life, 'dc01'),
      remove: async () => {
        open = false
      },
    }
  },
})
