import { createHash } from 'node:crypto'

const script = `
const uses = {
  setup: ['Create the first administrator', '/v1/setup', ['email', 'name', 'password']],
  invitation: ['Join', '/v1/invitations/accept', ['name', 'password']],
  reset: ['Set a new password', '/v1/password-resets/confirm', ['password']],
}
const given = [...new URLSearchParams(location.hash.slice(1))][0] ?? []
const [kind, token] = given
const use = uses[kind]
const form = document.querySelector('form')
const says = document.querySelector('output')
if (use === undefined) {
  says.textContent = 'This link is not complete. Copy all of it.'
} else {
  const [title, path, fields] = use
  document.querySelector('h1').textContent = title
  for (const label of form.querySelectorAll('label'))
    label.hidden = label.firstElementChild.disabled = !fields.includes(label.firstElementChild.name)
  form.elements.email.required = kind === 'setup'
  form.elements.password.required = kind !== 'invitation'
  document.querySelector('small').hidden = kind !== 'invitation'
  form.hidden = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const body = { token }
    for (const [name, value] of new FormData(form)) if (value !== '') body[name] = value
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = response.status === 204 ? {} : await response.json()
    says.textContent = response.ok ? 'Done. You can sign in now.' : answer.detail
    form.hidden = response.ok
    if (response.ok) history.replaceState(null, '', location.pathname)
  })
}
`

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem; color-scheme: light dark }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
label, button { margin-top: 1rem }
[hidden] { display: none }
`

/** Where links in letters lead: makes an account or a new password. */
export const accountPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>cinque</title>
<style>${style}</style>
</head>
<body>
<h1>cinque</h1>
<form hidden>
<label>E-mail address<input name="email" type="email" autocomplete="username" maxlength="254"></label>
<label>Name<input name="name" autocomplete="name" maxlength="200"></label>
<label>Password, at least 10 characters<input name="password" type="password" autocomplete="new-password" minlength="10" maxlength="256"></label>
<small>If you have an account already, leave both empty.</small>
<button>Go on</button>
</form>
<output role="status"></output>
<script>${script}</script>
</body>
</html>
`

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Only what is in the page runs in it, and only this host is asked. */
export const accountPolicy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')
