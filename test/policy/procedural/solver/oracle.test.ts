import t from 'tap'
import { readOracle } from '../../../../src/policy/procedural/solver/oracle.ts'

t.test('an oracle patch tells its files, whatever their names, and what it puts back', async t => {
  const patch = `diff --git a/test/a b.test.js b/test/a b.test.js
index 111..222 100644
--- a/test/a b.test.js\t
+++ b/test/a b.test.js\t
@@ -1,2 +1,3 @@
 one
+--- two
 three
diff --git "a/test/\\303\\274.py" "b/test/\\303\\274.py"
new file mode 100644
index 000..222
--- /dev/null
+++ "b/test/\\303\\274.py"
@@ -0,0 +1 @@
+assert True
diff --git a/test/gone.js b/test/gone.js
deleted file mode 100644
index 111..000
--- a/test/gone.js
+++ /dev/null
@@ -1 +0,0 @@
-old
diff --git a/test/data.bin b/test/data.bin
index 111..222 100644
Binary files a/test/data.bin and b/test/data.bin differ
`
  t.strictSame(readOracle(patch), [
    { path: 'test/a b.test.js', deleted: false, added: ['--- two'] },
    { path: 'test/ü.py', deleted: false, added: ['assert True'] },
    { path: 'test/gone.js', deleted: true, added: [] },
    { path: 'test/data.bin', deleted: false, added: [] }
  ])
})
