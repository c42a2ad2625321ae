import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { duplicate, invalid, notFound, notSupported, required, type FieldCause } from './field.cause.js';
import { labelNameFaults, portNameFaults, qualifiedNameFaults } from './name.rules.js';
import { numberIn, objectIn, objectsIn, textIn } from './object.members.js';
import { containersOf } from './pod.defaults.js';
import { compareQuantities, quantityText } from './quantity.js';

/** What the real server refuses in the specification of a pod (k8s.io/kubernetes/pkg/apis/core/validation). */
export function podSpecCauses(spec: JsonObject, field: string): FieldCause[] {
  const volumes = new Set(objectsIn(spec, 'volumes').map((volume) => textIn(volume, 'name')));
  return [
    ...volumeCauses(spec, `${field}.volumes`),
    ...containerListCauses(spec, 'containers', field, volumes),
    ...containerListCauses(spec, 'initContainers', field, volumes),
    ...duplicateContainerCauses(spec, field),
    ...atLeastZeroCauses(spec, ['terminationGracePeriodSeconds'], field),
    ...tolerationCauses(spec, `${field}.tolerations`),
  ];
}

function volumeCauses(spec: JsonObject, field: string): FieldCause[] {
  const seen = new Set<string>();
  return objectsIn(spec, 'volumes').flatMap((volume, index) => {
    const name = textIn(volume, 'name');
    const at = `${field}[${index}].name`;
    const causes = nameCauses(name, at);
    if (seen.has(name)) causes.push(duplicate(at, JSON.stringify(name)));
    seen.add(name);
    return causes;
  });
}

function nameCauses(name: string, field: string): FieldCause[] {
  if (name === '') return [required(field)];
  return labelNameFaults(name).map((fault) => invalid(field, JSON.stringify(name), fault));
}

function containerListCauses(
  spec: JsonObject,
  list: 'containers' | 'initContainers',
  field: string,
  volumes: ReadonlySet<string>,
): FieldCause[] {
  const containers = objectsIn(spec, list);
  if (list === 'containers' && containers.length === 0) return [required(`${field}.containers`)];
  return containers.flatMap((container, index) => containerCauses(container, `${field}.${list}[${index}]`, volumes));
}

function containerCauses(container: JsonObject, field: string, volumes: ReadonlySet<string>): FieldCause[] {
  const image = textIn(container, 'image');
  return [
    ...nameCauses(textIn(container, 'name'), `${field}.name`),
    ...(image === '' ? [required(`${field}.image`)] : []),
    ...(image.trim() === image
      ? []
      : [invalid(`${field}.image`, JSON.stringify(image), 'must not have leading or trailing whitespace')]),
    ...['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap((probe) => probeCauses(container, probe, field)),
    ...portCauses(container, `${field}.ports`),
    ...environmentCauses(container, `${field}.env`),
    ...mountCauses(container, `${field}.volumeMounts`, volumes),
    ...resourceCauses(container, `${field}.resources`),
  ];
}

/** A name stands for one container of the pod, whatever its kind. */
function duplicateContainerCauses(spec: JsonObject, field: string): FieldCause[] {
  const seen = new Set<string>();
  return containersOf(spec).flatMap(({ container, list, index }) => {
    const name = textIn(container, 'name');
    const isSecond = name !== '' && seen.has(name);
    seen.add(name);
    return isSecond ? [duplicate(`${field}.${list}[${index}].name`, JSON.stringify(name))] : [];
  });
}

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc'];

function probeCauses(container: JsonObject, name: string, field: string): FieldCause[] {
  const probe = container[name];
  if (!isJsonObject(probe)) return [];
  const at = `${field}.${name}`;
  const causes = HANDLERS.some((handler) => probe[handler] !== undefined)
    ? []
    : [required(at, 'must specify a handler type')];
  const members = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'];
  causes.push(...atLeastZeroCauses(probe, members, at));
  const threshold = numberIn(probe, 'successThreshold');
  if (name !== 'readinessProbe' && threshold !== undefined && threshold !== 1) {
    causes.push(invalid(`${at}.successThreshold`, String(threshold), 'must be 1'));
  }
  return causes;
}

function portCauses(container: JsonObject, field: string): FieldCause[] {
  const names = new Set<string>();
  return objectsIn(container, 'ports').flatMap((port, index) => {
    const at = `${field}[${index}]`;
    const name = textIn(port, 'name');
    const causes: FieldCause[] = [];
    if (name !== '') {
      const faults = portNameFaults(name);
      causes.push(...faults.map((fault) => invalid(`${at}.name`, JSON.stringify(name), fault)));
      if (names.has(name)) causes.push(duplicate(`${at}.name`, JSON.stringify(name)));
      names.add(name);
    }
    if ((numberIn(port, 'containerPort') ?? 0) === 0) causes.push(required(`${at}.containerPort`));
    else causes.push(...portNumberCauses(port.containerPort, `${at}.containerPort`));
    if ((numberIn(port, 'hostPort') ?? 0) !== 0) causes.push(...portNumberCauses(port.hostPort, `${at}.hostPort`));
    return causes;
  });
}

export function portNumberCauses(port: Json | undefined, field: string): FieldCause[] {
  if (typeof port !== 'number' || (port >= 1 && port <= 65535)) return [];
  return [invalid(field, String(port), 'must be between 1 and 65535, inclusive')];
}

function environmentCauses(container: JsonObject, field: string): FieldCause[] {
  return objectsIn(container, 'env').flatMap((variable, index) => {
    const name = textIn(variable, 'name');
    if (name === '') return [required(`${field}[${index}].name`)];
    if (!/^[\x20-\x3c\x3e-\x7e]+$/.test(name)) {
      const detail = "a valid environment variable name must consist only of printable ASCII characters other than '='";
      return [invalid(`${field}[${index}].name`, JSON.stringify(name), detail)];
    }
    if (textIn(variable, 'value') === '' || variable.valueFrom === undefined) return [];
    return [invalid(`${field}[${index}].valueFrom`, '""', 'may not be specified when `value` is not empty')];
  });
}

function mountCauses(container: JsonObject, field: string, volumes: ReadonlySet<string>): FieldCause[] {
  const paths = new Set<string>();
  return objectsIn(container, 'volumeMounts').flatMap((mount, index) => {
    const name = textIn(mount, 'name');
    const path = textIn(mount, 'mountPath');
    const causes: FieldCause[] = [];
    if (name === '') causes.push(required(`${field}[${index}].name`));
    if (!volumes.has(name)) causes.push(notFound(`${field}[${index}].name`, JSON.stringify(name)));
    if (path === '') causes.push(required(`${field}[${index}].mountPath`));
    else if (paths.has(path))
      causes.push(invalid(`${field}[${index}].mountPath`, JSON.stringify(path), 'must be unique'));
    paths.add(path);
    return causes;
  });
}

function resourceCauses(container: JsonObject, field: string): FieldCause[] {
  const resources = objectIn(container, 'resources');
  const limits = objectIn(resources, 'limits');
  const causes = (['limits', 'requests'] as const).flatMap((list) =>
    Object.entries(objectIn(resources, list)).flatMap(([name, amount]) => {
      const at = `${field}.${list}[${name}]`;
      const text = quantityText(amount);
      const faults = qualifiedNameFaults(name).map((fault) => invalid(at, JSON.stringify(name), fault));
      if (text === undefined || compareQuantities(text, '0') >= 0) return faults;
      return [...faults, invalid(at, JSON.stringify(text), 'must be greater than or equal to 0')];
    }),
  );
  for (const [name, amount] of Object.entries(objectIn(resources, 'requests'))) {
    const [request, limit] = [quantityText(amount), quantityText(limits[name])];
    if (request === undefined || limit === undefined || compareQuantities(request, limit) <= 0) continue;
    const detail = `must be less than or equal to ${name} limit of ${limit}`;
    causes.push(invalid(`${field}.requests`, JSON.stringify(request), detail));
  }
  return causes;
}

function tolerationCauses(spec: JsonObject, field: string): FieldCause[] {
  return objectsIn(spec, 'tolerations').flatMap((toleration, index) => {
    const at = `${field}[${index}]`;
    const key = textIn(toleration, 'key');
    const operator = textIn(toleration, 'operator');
    const causes =
      key === '' ? [] : qualifiedNameFaults(key).map((fault) => invalid(`${at}.key`, JSON.stringify(key), fault));
    if (key === '' && operator !== 'Exists') {
      const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      causes.push(invalid(`${at}.operator`, JSON.stringify(operator), detail));
    }
    if (operator === 'Exists' && textIn(toleration, 'value') !== '') {
      causes.push(
        invalid(`${at}.operator`, JSON.stringify(operator), "value must be empty when `operator` is 'Exists'"),
      );
    }
    return causes;
  });
}

export function atLeastZeroCauses(holder: JsonObject, members: readonly string[], field: string): FieldCause[] {
  return members.flatMap((member) => {
    const value = numberIn(holder, member);
    if (value === undefined || value >= 0) return [];
    return [invalid(`${field}.${member}`, String(value), 'must be greater than or equal to 0')];
  });
}

/** Workloads that keep their pods running take no other policy. */
export function restartPolicyCauses(spec: JsonObject, field: string, supported: readonly string[]): FieldCause[] {
  const policy = textIn(spec, 'restartPolicy');
  return supported.includes(policy) ? [] : [notSupported(`${field}.restartPolicy`, policy, supported)];
}
