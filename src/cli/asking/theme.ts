import { painter } from '../output/paint.js';

const paint = painter(true); // the terminal removes the colour again where it is off
const keys = (pairs: [key: string, action: string][]) =>
  pairs.map(([key, action]) => `${paint.bold(key)} ${paint.dim(action)}`).join(paint.dim(' • '));

/**
 * The palette of this tool, for the prompts of @inquirer. Its own colours are off where stdout is not a terminal, as in `KEY=$(… create)`,
 * and its cyan is a pointer, an answer and a description.
 */
export const theme = {
  prefix: { idle: paint.pointer('?'), done: paint.good('✔') },
  style: {
    message: paint.bold,
    answer: (text: string) => text,
    defaultAnswer: (text: string) => paint.dim(`(${text})`),
    error: (text: string) => paint.bad(`> ${text}`),
    highlight: paint.pointer,
    help: paint.dim,
    description: paint.dim,
    disabled: paint.dim,
    searchTerm: (text: string) => text,
    keysHelpTip: keys,
  },
};

/** {@link theme} for a list of which several items are picked. */
export const checkboxTheme = { ...theme, icon: { checked: paint.good('◉') } };
