import { textAt } from '../json-merge.js';
import type { JsonObject } from '#libs/kernel/json.js';

const FAMILY = 'AKSUbuntu-2204gen2containerd';

/** What a pool gets when it is made. */
export const FIRST_NODE_IMAGE = `${FAMILY}-202610.12.0`;

/** What pools can be upgraded to. */
export const LATEST_NODE_IMAGE = `${FAMILY}-202610.28.0`;

const PUBLISHED = [FIRST_NODE_IMAGE, LATEST_NODE_IMAGE];

export function isPublished(image: string): boolean {
  return PUBLISHED.includes(image);
}

/** The image of the list that is of the pool's family: the part before the date. */
export function imageFor(pool: JsonObject, images: readonly string[]): string | undefined {
  const family = familyOf(textAt(pool, 'nodeImageVersion') ?? FIRST_NODE_IMAGE);
  return images.find((image) => familyOf(image) === family);
}

/** Images of a family carry their date, so that their names sort by age. */
export function isAtOrAhead(pool: JsonObject, image: string): boolean {
  return (textAt(pool, 'nodeImageVersion') ?? '') >= image;
}

function familyOf(image: string): string {
  return image.slice(0, image.lastIndexOf('-'));
}
