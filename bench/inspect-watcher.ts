// One browser of bench/inspect.ts: opens what the page opens, and reads.

import { WebSocket } from 'ws'

const socket = new WebSocket(`${process.argv[2]!.replace('http', 'ws')}socket`)
let isTold = false
socket.on('open', () => {
  for (const [index, topic] of ['actors', 'cluster', 'actor/local%2F1'].entries()) socket.send(JSON.stringify({ type: 'open', id: index, topic }))
})
socket.on('message', data => {
  JSON.parse((data as Buffer).toString('utf8'))
  if (!isTold) console.log('watching')
  isTold = true
})
