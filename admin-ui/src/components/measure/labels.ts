import type { TFunction } from 'i18next';
import type { Schemas } from '@/api/client';

type Channel = Schemas['Channel'];

/** Those of EN 13757-3 that meters in Germany really have; others are found by the search. */
export const MEDIA = [
  'electricity',
  'gas',
  'heat',
  'cooling',
  'heat-cooling',
  'water',
  'cold-water',
  'warm-water',
  'hot-water',
  'waste-water',
  'heat-cost-allocator',
  'room-sensor',
  'smoke-detector',
  'pressure',
  'oil',
  'other',
  'unknown',
] as const;

/** Water (cold), electricity …: names of EN 13757-3 device types, in the language of the reader. */
export function mediumLabel(t: TFunction<'measure'>, medium: string): string {
  return t(`medium.${medium}`, { defaultValue: medium });
}

/** What a channel is, in words: 'Energy, storage 1, tariff 2'. */
export function channelLabel(t: TFunction<'measure'>, channel: Channel): string {
  const parts = [t(`quantity.${channel.quantity}`, { defaultValue: channel.quantity })];
  if (channel.function !== 'instantaneous') parts.push(t(`function.${channel.function}`));
  if (channel.storage !== 0) parts.push(t('channel.storage', { number: channel.storage }));
  if (channel.tariff !== 0) parts.push(t('channel.tariff', { number: channel.tariff }));
  if (channel.subunit !== 0) parts.push(t('channel.subunit', { number: channel.subunit }));
  if (channel.qualifier) parts.push(channel.qualifier);
  if (channel.nth !== 0) parts.push(`#${channel.nth + 1}`);
  return parts.join(', ');
}

export function deviceTitle(device: { id: string; name: string }): string {
  return device.name || device.id;
}
