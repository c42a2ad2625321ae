import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';

const DAY_MS = 86_400_000;
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const WEEKS = ['First', 'Second', 'Third', 'Fourth', 'Last'] as const;
/** A schedule that opens less often than this is taken for one that does not open. */
const LONGEST_LOOK_DAYS = 800;

const interval = z.int().min(1);
const dayOfWeek = z.enum(DAYS);

/** As AKS takes it: when upgrades of a cluster may begin. */
export const maintenanceWindowSchema = z.looseObject({
  schedule: z.looseObject({
    daily: z.looseObject({ intervalDays: interval }).optional(),
    weekly: z.looseObject({ intervalWeeks: interval, dayOfWeek }).optional(),
    absoluteMonthly: z.looseObject({ intervalMonths: interval, dayOfMonth: z.int().min(1).max(31) }).optional(),
    relativeMonthly: z.looseObject({ intervalMonths: interval, dayOfWeek, weekIndex: z.enum(WEEKS) }).optional(),
  }),
  durationHours: z.int().min(4).max(24),
  utcOffset: z
    .string()
    .regex(/^[+-]\d{2}:\d{2}$/)
    .optional(),
  startDate: z.iso.date().optional(),
  startTime: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
  notAllowedDates: z.array(z.looseObject({ start: z.iso.date(), end: z.iso.date() })).optional(),
});

export type MaintenanceWindow = z.infer<typeof maintenanceWindowSchema>;

export function windowOf(configuration: JsonObject): MaintenanceWindow | undefined {
  const parsed = maintenanceWindowSchema.safeParse(configuration.maintenanceWindow);
  return parsed.success ? parsed.data : undefined;
}

/** Milliseconds since the epoch. */
export function isOpen(window: MaintenanceWindow, at: number): boolean {
  const duration = window.durationHours * 3_600_000;
  const today = Math.floor((at + offsetOf(window)) / DAY_MS);
  return [today - 1, today].some((day) => {
    const opensAt = openingOn(window, day);
    return opensAt !== undefined && opensAt <= at && at < opensAt + duration;
  });
}

/** The first opening after the moment given. */
export function nextOpening(window: MaintenanceWindow, after: number): number | undefined {
  const today = Math.floor((after + offsetOf(window)) / DAY_MS);
  for (let day = today; day < today + LONGEST_LOOK_DAYS; day++) {
    const opensAt = openingOn(window, day);
    if (opensAt !== undefined && opensAt > after) return opensAt;
  }
  return undefined;
}

/** When the window opens on a day of its own calendar, counted from the epoch; undefined when it does not. */
function openingOn(window: MaintenanceWindow, day: number): number | undefined {
  const date = new Date(day * DAY_MS);
  const text = date.toISOString().slice(0, 10);
  if (text < (window.startDate ?? '')) return undefined;
  if (window.notAllowedDates?.some(({ start, end }) => start <= text && text <= end) === true) return undefined;
  if (!fits(window, date)) return undefined;
  const [hours = 0, minutes = 0] = window.startTime.split(':').map(Number);
  return day * DAY_MS + (hours * 60 + minutes) * 60_000 - offsetOf(window);
}

function fits({ schedule, startDate }: MaintenanceWindow, date: Date): boolean {
  const start = new Date(`${startDate ?? '1970-01-01'}T00:00:00Z`);
  const days = Math.round((date.getTime() - start.getTime()) / DAY_MS);
  const months = (date.getUTCFullYear() - start.getUTCFullYear()) * 12 + date.getUTCMonth() - start.getUTCMonth();
  const { daily, weekly, absoluteMonthly, relativeMonthly } = schedule;
  const isDay = (name: string): boolean => DAYS[date.getUTCDay()] === name;
  if (daily !== undefined) return days % daily.intervalDays === 0;
  if (weekly !== undefined) {
    const weeks = Math.floor((days + start.getUTCDay()) / 7);
    return isDay(weekly.dayOfWeek) && weeks % weekly.intervalWeeks === 0;
  }
  if (absoluteMonthly !== undefined) {
    return date.getUTCDate() === absoluteMonthly.dayOfMonth && months % absoluteMonthly.intervalMonths === 0;
  }
  if (relativeMonthly !== undefined) {
    const { weekIndex, intervalMonths } = relativeMonthly;
    const isLast = new Date(date.getTime() + 7 * DAY_MS).getUTCMonth() !== date.getUTCMonth();
    const isWeek = weekIndex === 'Last' ? isLast : WEEKS[Math.floor((date.getUTCDate() - 1) / 7)] === weekIndex;
    return isDay(relativeMonthly.dayOfWeek) && isWeek && months % intervalMonths === 0;
  }
  return false;
}

function offsetOf({ utcOffset = '+00:00' }: MaintenanceWindow): number {
  const [hours = 0, minutes = 0] = utcOffset.slice(1).split(':').map(Number);
  return (utcOffset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
