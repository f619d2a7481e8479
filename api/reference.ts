import { z } from 'zod'
import type { ApiDocument } from './document.ts'

/** The part of a JSON Schema that is shown. */
const schemaNode = z.object({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  format: z.string().optional(),
  default: z.unknown().optional(),
  description: z.string().optional(),
  required: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  get properties() {
    return z.record(z.string(), schemaNode).optional()
  },
  get items() {
    return schemaNode.optional()
  },
  get anyOf() {
    return z.array(schemaNode).optional()
  },
})
type SchemaNode = z.output<typeof schemaNode>

const content = z.record(z.string(), z.object({ schema: schemaNode.optional() })).optional()
const operationNode = z.object({
  operationId: z.string(),
  summary: z.string(),
  description: z.string().optional(),
  tags: z.array(z.string()),
  parameters: z
    .array(
      z.object({
        in: z.string(),
        name: z.string(),
        required: z.boolean().optional(),
        description: z.string().optional(),
        schema: schemaNode.optional(),
      }),
    )
    .default([]),
  requestBody: z.object({ content }).optional(),
  responses: z.record(z.string(), z.object({ description: z.string(), content })),
})
type Operation = z.output<typeof operationNode> & { readonly method: string; readonly path: string }

const pageNode = z.object({
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  tags: z.array(z.object({ name: z.string(), description: z.string().optional() })),
  paths: z.record(z.string(), z.record(z.string(), operationNode)),
  components: z.object({ schemas: z.record(z.string(), schemaNode).default({}) }),
})

/** The reference of the API as one page of HTML without scripts: works with the CSP of the API, and in a text browser. */
export function referencePage(document: ApiDocument): string {
  const { info, tags, paths, components } = pageNode.parse(document)
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
    })),
  )
  const groups = tags.map((tag) => ({
    ...tag,
    operations: operations.filter((one) => one.tags[0] === tag.name),
  }))
  const schemas = Object.entries(components.schemas)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(info.title)} ${text(info.version)}: API reference</title>
<link rel="stylesheet" href="/v1/docs/style.css">
<nav aria-label="Operations">
<h1>${text(info.title)} <small>${text(info.version)}</small></h1>
<p><a href="/v1/openapi.json">openapi.json</a></p>
${groups.map(navGroup).join('\n')}
<h2><a href="#schemas">Schemas</a></h2>
</nav>
<main>
<p>${prose(info.description)}</p>
${groups.map(group).join('\n')}
<h2 id="schemas">Schemas</h2>
${schemas.map(([name, node]) => `<h3 id="schema-${text(name)}">${text(name)}</h3>\n${shape(node)}`).join('\n')}
</main>
</html>
`
}

interface Group {
  readonly name: string
  readonly description?: string | undefined
  readonly operations: readonly Operation[]
}

function navGroup({ name, operations }: Group): string {
  const items = operations.map(
    ({ operationId, method, path }) =>
      `<li><a href="#${text(operationId)}"><b class="${method.toLowerCase()}">${method}</b> ${text(path.replace(/^\/v1/, ''))}</a>`,
  )
  return `<h2><a href="#tag-${text(name)}">${text(name)}</a></h2>\n<ul>\n${items.join('\n')}\n</ul>`
}

function group({ name, description = '', operations }: Group): string {
  return `<h2 id="tag-${text(name)}">${text(name)}</h2>\n<p>${prose(description)}</p>\n${operations.map(section).join('\n')}`
}

function section(one: Operation): string {
  const rows = one.parameters.map(({ in: where, name, required = false, description, schema }) => [
    `<code>${text(name)}</code>${required ? ' <em>required</em>' : ''}`,
    where,
    schema === undefined ? '' : kind(schema),
    prose([description ?? schema?.description ?? '', bounds(schema)].filter(Boolean).join('; ')),
  ])
  const answers = Object.entries(one.responses).map(([status, { description, content: types }]) => [
    `<code>${text(status)}</code>`,
    Number(status) < 400 ? prose(description) : codes(description),
    bodies(types, Number(status) < 400),
  ])
  return `<section id="${text(one.operationId)}">
<h3><b class="${one.method.toLowerCase()}">${one.method}</b> <code>${text(one.path)}</code></h3>
<p>${prose(one.summary)}</p>
${one.description === undefined ? '' : `<p class="access">${prose(one.description)}</p>`}
${rows.length === 0 ? '' : table(['Parameter', 'In', 'Type', 'Meaning'], rows)}
${one.requestBody === undefined ? '' : `<h4>Body</h4>\n${bodies(one.requestBody.content, true)}`}
${table(['Status', 'Meaning', 'Body'], answers)}
</section>`
}

function codes(description: string): string {
  return description
    .split(', ')
    .map((code) => `<code>${text(code)}</code>`)
    .join(' ')
}

function bodies(types: z.output<typeof content>, whole: boolean): string {
  return Object.entries(types ?? {})
    .map(([type, { schema }]) => {
      if (!whole || schema === undefined) return ''
      return type === 'application/json' ? shape(schema) : `<code>${text(type)}</code>`
    })
    .join(' ')
}

/** An object as a table of its properties, anything else in a line. */
function shape(node: SchemaNode): string {
  const target = node.items?.properties === undefined ? node : node.items
  if (target.properties === undefined) return `<p>${kind(node)} ${prose(node.description ?? '')}</p>`
  const rows = Object.entries(target.properties).map(([name, child]) => [
    `<code>${text(name)}</code>${target.required?.includes(name) === true ? '' : ' <em>optional</em>'}`,
    kind(child),
    prose([child.description ?? '', bounds(child)].filter(Boolean).join('; ')) + nested(child),
  ])
  return table(['Field', 'Type', 'Meaning'], rows)
}

function nested(node: SchemaNode): string {
  const inner = [node, node.items, ...(node.anyOf ?? [])].find((one) => one?.properties !== undefined)
  return inner === undefined ? '' : `<details><summary>fields</summary>${shape(inner)}</details>`
}

function kind(node: SchemaNode): string {
  if (node.$ref !== undefined) {
    const name = node.$ref.split('/').at(-1) ?? ''
    return `<a href="#schema-${text(name)}">${text(name)}</a>`
  }
  if (node.enum !== undefined)
    return node.enum.map((one) => `<code>${text(JSON.stringify(one))}</code>`).join(' | ')
  if (node.const !== undefined) return `<code>${text(JSON.stringify(node.const))}</code>`
  if (node.anyOf !== undefined) return node.anyOf.map(kind).join(' | ')
  if (node.items !== undefined) return `list of ${kind(node.items)}`
  const type = Array.isArray(node.type) ? node.type.join(' | ') : (node.type ?? 'anything')
  return text(node.format === undefined ? type : `${type} (${node.format})`)
}

function bounds(node: SchemaNode | undefined): string {
  const said: [string, unknown][] = [
    ['default', node?.default],
    ['at least', node?.minimum === Number.MIN_SAFE_INTEGER ? undefined : node?.minimum],
    ['at most', node?.maximum === Number.MAX_SAFE_INTEGER ? undefined : node?.maximum],
    ['characters at least', node?.minLength],
    ['characters at most', node?.maxLength],
  ]
  return said
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join(', ')
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((one) => `<th scope="col">${one}`).join('')
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}`).join('')}`).join('\n')
  return `<table>\n<thead><tr>${head}<tbody>\n${body}\n</table>`
}

/** Text with \`code\` in it. */
function prose(words: string): string {
  return text(words).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function text(raw: string): string {
  return raw
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

export const referenceStyle = `:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: light-dark(#0b57d0, #8ab4f8) }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 20rem minmax(0, 1fr) }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; border-right: 1px solid var(--line) }
nav h1 { font-size: 1.2rem; margin: 0 }
nav h2 { font-size: 0.9rem; margin: 1rem 0 0.2rem }
nav ul { list-style: none; margin: 0; padding: 0; font-size: 0.85rem }
main { padding: 1rem 2rem 4rem; max-width: 70rem }
a { color: var(--link); text-decoration: none }
a:hover, a:focus-visible { text-decoration: underline }
section { border-top: 1px solid var(--line); padding-top: 0.5rem }
section:target { background: var(--soft) }
h3 b, nav li b { font: 600 0.75rem monospace; display: inline-block; min-width: 3.6rem }
.get { color: light-dark(#137333, #81c995) }
.post { color: light-dark(#0b57d0, #8ab4f8) }
.put, .patch { color: light-dark(#9a5b00, #fcad70) }
.delete { color: light-dark(#b3261e, #f28b82) }
.access { font-size: 0.85rem }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; margin: 0.5rem 0 1rem }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.5rem; border-bottom: 1px solid var(--line) }
code { font-size: 0.9em; overflow-wrap: anywhere }
@media (max-width: 50rem) { body { display: block } nav { position: static; height: auto; max-height: 40vh } }
`
