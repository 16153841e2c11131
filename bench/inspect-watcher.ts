// One browser of bench/inspect.ts: opens what the page opens, and reads. It says so when it has the whole list.

import { WebSocket } from 'ws'

const socket = new WebSocket(`${process.argv[2]!.replace('http', 'ws')}socket`)
let isTold = false
socket.on('open', () => {
  for (const [index, topic] of ['actors', 'cluster', 'actor/local%2F1'].entries()) socket.send(JSON.stringify({ type: 'open', id: index, topic }))
})
socket.on('message', data => {
  const { type, id } = JSON.parse((data as Buffer).toString('utf8')) as { type: string; id: number }
  if (!isTold && type === 'full' && id === 0) {
    console.log('watching')
    isTold = true
  }
})
