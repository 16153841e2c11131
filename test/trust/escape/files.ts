// Files that are no files, or another one: what reading and writing from outside comes to. The paths are a model's.

import type { Outside } from './attacks.ts'

export interface FileAttack {
  name: string
  prepare: (outside: Outside) => string
  reads?: (outside: Outside) => string
  writes?: (outside: Outside) => string
  /** The code of the error, or `read <text>`, or `written`. */
  ends: RegExp
}

const none = /^SANDBOX_NO_FILE$/
const unwritten = /^SANDBOX_WRITE_FAILED$/

export const fileAttacks: readonly FileAttack[] = [
  { name: 'a pipe is read', prepare: () => 'mkfifo pipe', reads: () => 'pipe', ends: none },
  { name: 'an endless device is read', prepare: () => ':', reads: () => '/dev/zero', ends: none },
  { name: 'an endless device is read through a link', prepare: () => 'ln -s /dev/zero zero', reads: () => 'zero', ends: none },
  { name: 'a link to itself is read', prepare: () => 'ln -s loop loop', reads: () => 'loop', ends: none },
  { name: 'a file that says it is empty', prepare: () => ':', reads: () => '/proc/self/environ', ends: none },
  { name: 'a file that grows', prepare: () => '(for i in {1..20000}; do echo more; done >grows) & sleep 0.05', reads: () => 'grows', ends: /^(SANDBOX_NO_FILE|SANDBOX_FILE_TOO_LARGE|read (more\n)*.*)$/s },
  { name: 'a file of which there is less than it says', prepare: () => 'truncate -s 900M sparse', reads: () => 'sparse', ends: /^SANDBOX_FILE_TOO_LARGE$/ },
  { name: 'a link out of the sandbox is read', prepare: ({ secret }) => `ln -s ${secret} out`, reads: () => 'out', ends: none },
  { name: 'a way out is read', prepare: () => ':', reads: ({ secret }) => `../../../../../..${secret}`, ends: none },
  { name: 'a pipe is written', prepare: () => ':', writes: () => 'pipe', ends: unwritten },
  { name: 'a device is written', prepare: () => 'ln -s /dev/full full', writes: () => 'full', ends: unwritten },
  { name: 'a link to itself is written', prepare: () => ':', writes: () => 'loop', ends: unwritten },
  { name: 'a link out of the sandbox is written', prepare: ({ secret }) => `ln -s ${secret}-written to`, writes: () => 'to', ends: /^(SANDBOX_WRITE_FAILED|written)$/ },
  { name: 'a way out is written', prepare: () => ':', writes: ({ secret }) => `../../../../../..${secret}-written`, ends: /^(SANDBOX_WRITE_FAILED|written)$/ }
]
