import { CliError } from '#scripts/output.ts'

/** Asks on the terminal, and reads a line that is not shown. CliError when Ctrl-C is pressed. */
export function readHidden(question: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(question)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  stdin.resume()
  return new Promise((resolve, reject) => {
    let line = ''
    const end = (): void => {
      stdin.off('data', read)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
    }
    const read = (text: string): void => {
      for (const character of text) {
        if (character === '\r' || character === '\n') {
          end()
          resolve(line)
          return
        }
        if (character === '\u0003' || character === '\u0004') {
          end()
          reject(new CliError('no password was given'))
          return
        }
        if (character === '\u007f' || character === '\b') line = line.slice(0, -1)
        else line += character
      }
    }
    stdin.on('data', read)
  })
}
