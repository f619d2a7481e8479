import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { expect } from 'chai'
import { openApiDocument } from '#api/app.ts'
import { errorsPage } from '#api/errors-page.ts'
import { problems } from '#api/problems.ts'
import { version } from '#scripts/version.ts'
import { startTestApi, type TestApi } from './fixture.ts'

interface Operation {
  operationId?: string
  summary?: string
  tags?: string[]
  parameters?: { in: string; name: string; required?: boolean; schema?: unknown }[]
  requestBody?: { content: Record<string, { schema?: unknown }> }
  responses: Record<string, { description: string; content?: Record<string, { schema?: unknown }> }>
}

const checkedIn = (name: string): string =>
  readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

describe('The OpenAPI document', () => {
  const document = JSON.parse(JSON.stringify(openApiDocument(version))) as {
    tags: { name: string; description?: string }[]
    paths: Record<string, Record<string, Operation>>
  }
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      method,
      operation,
    })),
  )

  it('is as it is checked in, so that a change of the API is seen in review: `npm run openapi` writes it anew', () => {
    expect(
      JSON.parse(checkedIn('openapi.json')),
      'run `npm run openapi` and look at the difference',
    ).to.deep.equal(document)
  })

  it('has its errors documented: `npm run openapi` writes docs/errors.md anew', () => {
    expect(checkedIn('errors.md'), 'run `npm run openapi`').to.equal(errorsPage())
  })

  it('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document))
    expect(valid, JSON.stringify(errors)).to.equal(true)
  })

  it('names every operation once, and says what it is for', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(ids.filter((id, i) => id === undefined || ids.indexOf(id) !== i)).to.deep.equal([])
    for (const { name, operation } of operations) {
      expect(operation.operationId, name).to.match(/^[a-z][A-Za-z0-9]+$/)
      expect(operation.summary, name).to.match(/^.{5,300}(?<!\.)$/s)
      expect(operation.tags, name).to.have.length(1)
    }
  })

  it('says what a caller may get: every parameter, every problem by its code, the shape of each answer', () => {
    for (const { name, path, operation } of operations) {
      const { parameters = [], responses } = operation
      const inPath = parameters.filter((one) => one.in === 'path').map((one) => `{${one.name}}`)
      expect(path.match(/\{\w+\}/g) ?? [], name).to.have.members(inPath)
      for (const parameter of parameters)
        expect(parameter.schema, `${name} ${parameter.name}`).to.be.an('object')
      for (const [status, { description, content = {} }] of Object.entries(responses)) {
        if (Number(status) < 400) {
          const empty = status === '204' || status === '304'
          expect(
            Object.values(content).every(({ schema }) => schema !== undefined),
            name,
          ).to.equal(true)
          expect(Object.keys(content), `${name} ${status}`).to.have.length(empty ? 0 : 1)
          continue
        }
        expect(content, `${name} ${status}`).to.have.all.keys('application/problem+json')
        for (const code of description.split(', ')) {
          expect(problems, `${name} ${status}`).to.include.keys(code)
          expect(String(problems[code as keyof typeof problems][0]), `${name} ${code}`).to.equal(status)
        }
      }
      expect(Object.keys(responses), name).to.include.members(['400', '500', '503'])
    }
  })

  describe('as a page', () => {
    let api: TestApi
    before(async () => {
      api = await startTestApi()
    })
    after(() => api.close())

    it('shows every operation, and loads nothing from elsewhere', async () => {
      const page = await api.ask('GET', '/v1/docs', { authorization: null })
      expect(page.headers.get('content-type')).to.equal('text/html; charset=utf-8')
      for (const { name, operation } of operations)
        expect(page.text, name).to.include(`<section id="${operation.operationId}">`)
      const urls = Array.from(page.text.matchAll(/(?:href|src)="([^"]*)"/g), ([, url]) => url)
      for (const url of urls) expect(url).to.match(/^(?:#|\/v1\/)/)
      for (const anchor of urls.filter((url) => url.startsWith('#')))
        expect(page.text, anchor).to.include(`id="${anchor.slice(1)}"`)
      expect(page.text).to.not.match(/<script|<style|style=/)
      const style = await api.ask('GET', '/v1/docs/style.css', { authorization: null })
      expect(style.headers.get('content-type')).to.equal('text/css; charset=utf-8')
      expect(style.text).to.not.match(/url\(|@import/)
    })
  })
})
