// The limits of the lane, by name.

export const laneLimits = {
  /** What is read at a time. The buffer is that large, or as large as the largest message that has come. */
  readBytes: 256 * 1024,
  /** Written at a time, and how many such buffers are kept for the next writes. */
  writeBytes: 256 * 1024,
  writesKept: 16,
  /** Of a message of a server; none may be set to take more. */
  messageBytesMax: 64 * 2 ** 20
}
