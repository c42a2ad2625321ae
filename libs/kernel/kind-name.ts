/** The names that a kind has on the public surface, all made from the one in Pascal case. */

/** `FleetMember` -> `FleetMembers`, `FleetUpdateStrategy` -> `FleetUpdateStrategies`, `StorageClass` -> `StorageClasses`. */
export function pluralKind(kind: string): string {
  if (/[^aeiou]y$/.test(kind)) return `${kind.slice(0, -1)}ies`;
  if (/(s|x|z|ch|sh)$/.test(kind)) return `${kind}es`;
  return `${kind}s`;
}

/** The REST collection: `FleetMember` -> `fleet-members`. */
export function kindPath(kind: string): string {
  return pluralKind(kind)
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase();
}

/** The GraphQL connection field: `FleetMember` -> `fleetMembers`. */
export function kindField(kind: string): string {
  const plural = pluralKind(kind);
  return `${plural.charAt(0).toLowerCase()}${plural.slice(1)}`;
}

/** The GraphQL mutation of an operation type: `fleet.member.join` -> `fleetMemberJoin`. */
export function mutationField(operationType: string): string {
  return operationType.replaceAll(/\.([a-zA-Z])/g, (_match, letter: string) => letter.toUpperCase());
}
