// The folder of a test. tap removes what `testdir` made and runs the teardowns in the order in which a test first asked for
// either, the latest first: whoever asks for the folder first loses it while what its teardown closes still writes there.

import type { Test } from 'tap'

/** Makes the folder; it is removed once every teardown of the test has run, also those that are added later. */
export function testFolder (t: Test, content: Parameters<Test['testdir']>[0] = {}): string {
  t.teardown(() => {})
  return t.testdir(content)
}
