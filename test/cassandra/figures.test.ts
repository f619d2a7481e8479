import { expect } from 'chai'
import { nodeFigures } from '#cassandra/figures.ts'
import { keyspace, sharedNode, silent, startTimeoutMs } from './node.ts'

describe('figures of a Cassandra node', () => {
  it('are there under the names that the dashboard asks for, without those of other keyspaces', async () => {
    const { ip } = await sharedNode()
    const text = await nodeFigures({ contactPoints: [ip], localDc: 'dc01', log: silent }, keyspace)
    expect(text).to.match(/^cinque_cassandra_node_pending_tasks\{pool="CompactionExecutor"\} \d+$/m)
    expect(text).to.match(/^cinque_cassandra_node_table_bytes\{table="device"\} \d+$/m)
    expect(text).to.match(/^cinque_cassandra_node_write_p99_ms\{table="schema_version"\} [\d.]+$/m)
    expect(text).to.match(/^cinque_cassandra_node_hint_files 0$/m)
    expect(text).to.match(/^cinque_cassandra_node_clients [1-9]/m)
    expect(text).to.not.include('NaN')
    expect(text).to.not.include('table="peers_v2"')
  }).timeout(startTimeoutMs)

  it('of one that is away are an error, not an empty page', async () => {
    const away = { contactPoints: ['127.64.0.254'], localDc: 'dc01', log: silent }
    const failure = await nodeFigures(away, keyspace).catch(String)
    expect(failure).to.match(/^StoreError: .*127\.64\.0\.254/)
  }).timeout(startTimeoutMs)
})
