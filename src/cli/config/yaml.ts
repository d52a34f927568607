/** All that this project uses of the YAML package, in one module: loaded only where there is a configuration file. */
export {
  type Alias,
  type Document,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
