/**
 * Unicode's table of characters that look alike (confusables.txt of UTS 39): what each looks like. The build puts it into this module,
 * which is loaded only where a new name is given, or a name beyond ASCII is shown.
 */
export { default as CONFUSABLES } from 'unhomoglyph/data.json' with { type: 'json' };
