/** Of each name one. */
export const each = <Key extends string, Value>(names: readonly Key[], make: (name: Key) => Value): Record<Key, Value> =>
  Object.fromEntries(names.map(name => [name, make(name)])) as Record<Key, Value>
