/** The object without its members that are undefined or null: "not given", as optional members must be. */
export function presentMembers<T extends object>(value: T): { [Key in keyof T]?: NonNullable<T[Key]> } {
  const members = Object.entries(value).filter(([, member]) => member !== undefined && member !== null);
  return Object.fromEntries(members) as { [Key in keyof T]?: NonNullable<T[Key]> };
}
