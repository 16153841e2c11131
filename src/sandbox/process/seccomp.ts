// A filter of system calls for bubblewrap, as classic BPF: no new namespaces (with a user namespace of its own a process
// gets capabilities inside of it, and with them far more of the kernel to attack), no sockets to the machine that this one
// runs in (no network namespace holds those), and none of the calls that no test suite needs and many exploits did: io_uring
// would also go past this filter. Everything else passes. Null on processors that it has not been written for.

const namespaceFlags = 0x7E020000 // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
const refusedForAll = ['setns', 'mount', 'umount2', 'pivot_root', 'open_tree', 'move_mount', 'fsopen', 'fsmount', 'add_key', 'request_key', 'keyctl', 'bpf', 'perf_event_open',
  'userfaultfd', 'kexec_load', 'init_module', 'finit_module', 'open_by_handle_at', 'io_uring_setup'] as const

type Call = typeof refusedForAll[number] | 'socket' | 'clone' | 'clone3' | 'unshare'
interface Machine { audit: number; calls: Record<Call, number>; hasOtherAbi: boolean }

const sameEverywhere = { clone3: 435, open_tree: 428, move_mount: 429, fsopen: 430, fsmount: 432, io_uring_setup: 425 }

const machines: Record<string, Machine> = {
  x64: {
    audit: 0xC000003E,
    hasOtherAbi: true,
    calls: { ...sameEverywhere, socket: 41, clone: 56, unshare: 272, setns: 308, mount: 165, umount2: 166, pivot_root: 155, add_key: 248, request_key: 249, keyctl: 250, bpf: 321, perf_event_open: 298, userfaultfd: 323, kexec_load: 246, init_module: 175, finit_module: 313, open_by_handle_at: 304 }
  },
  arm64: {
    audit: 0xC00000B7,
    hasOtherAbi: false,
    calls: { ...sameEverywhere, socket: 198, clone: 220, unshare: 97, setns: 268, mount: 40, umount2: 39, pivot_root: 41, add_key: 217, request_key: 218, keyctl: 219, bpf: 280, perf_event_open: 241, userfaultfd: 282, kexec_load: 104, init_module: 105, finit_module: 273, open_by_handle_at: 265 }
  }
}

// Codes of linux/bpf_common.h and linux/seccomp.h; offsets of struct seccomp_data.
const load = (offset: number): number[] => [0x20, 0, 0, offset]
const jumpIfEqual = (value: number, yes: number, no: number): number[] => [0x15, yes, no, value]
const jumpIfAtLeast = (value: number, yes: number, no: number): number[] => [0x35, yes, no, value]
const jumpIfBits = (bits: number, yes: number, no: number): number[] => [0x45, yes, no, bits]
const answer = (value: number): number[] => [0x06, 0, 0, value]
const allow = answer(0x7FFF0000)
const notPermitted = answer(0x00050000 + 1)
/** glibc falls back to clone, whose flags can be read; those of clone3 lie in memory. */
const notImplemented = answer(0x00050000 + 38)
const [numberAt, architectureAt, firstArgumentAt] = [0, 4, 16]
const [AF_ALG, AF_VSOCK] = [38, 40]
const otherAbiBit = 0x40000000

export function seccompFilter (architecture: string = process.arch): Uint8Array | null {
  const machine = machines[architecture]
  if (machine === undefined) return null
  const { audit, calls, hasOtherAbi } = machine
  const program = [
    load(architectureAt), jumpIfEqual(audit, 1, 0), notPermitted,
    load(numberAt),
    ...(hasOtherAbi ? [jumpIfAtLeast(otherAbiBit, 0, 1), notPermitted] : []),
    ...refusedForAll.flatMap(name => [jumpIfEqual(calls[name], 0, 1), notPermitted]),
    jumpIfEqual(calls.clone3, 0, 1), notImplemented,
    jumpIfEqual(calls.socket, 0, 5), load(firstArgumentAt), jumpIfEqual(AF_ALG, 1, 0), jumpIfEqual(AF_VSOCK, 0, 1), notPermitted, allow,
    jumpIfEqual(calls.clone, 1, 0), jumpIfEqual(calls.unshare, 0, 2),
    load(firstArgumentAt), jumpIfBits(namespaceFlags, 1, 0),
    allow, notPermitted
  ]
  const bytes = Buffer.alloc(program.length * 8)
  for (const [index, [code, yes, no, value]] of program.entries()) {
    bytes.writeUInt16LE(code!, index * 8)
    bytes.writeUInt8(yes!, index * 8 + 2)
    bytes.writeUInt8(no!, index * 8 + 3)
    bytes.writeUInt32LE(value!, index * 8 + 4)
  }
  return bytes
}
