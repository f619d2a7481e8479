/** `node:http`. Its import statement would load all that it can export, fetch and WebSocket too: 6 MB that no checker needs. */
export const http = process.getBuiltinModule('node:http')
