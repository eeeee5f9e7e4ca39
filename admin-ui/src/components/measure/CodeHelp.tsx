import { Group, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { maloSum, type LocationKind } from './marketId';
import classes from './measure.module.css';
import { Tone } from './Tone';

/** How the code is built, with the digits that were typed so far. */
export function CodeHelp({ kind, code }: { kind: LocationKind; code: string }) {
  const { t } = useTranslation('measure');
  if (kind === 'nelo') return <Hint text={t('codeHelp.nelo')} />;
  return kind === 'melo' ? <MeloHelp code={code} /> : <MaloHelp code={code} />;
}

function MaloHelp({ code }: { code: string }) {
  const { t } = useTranslation('measure');
  const sum = maloSum(code);
  if (!sum) return <Hint text={t('codeHelp.malo')} />;
  const { digits, sum: total, check } = sum;
  const typed = code[10];
  return (
    <Stack gap={4} aria-live="polite">
      <Group gap={4} className="mono" wrap="wrap">
        {digits.map(({ digit, weight }, index) => (
          <span key={index} className={classes.digit}>
            {digit}
            <small>×{weight}</small>
          </span>
        ))}
      </Group>
      <Text size="xs">
        {t('codeHelp.maloSum', { total, next: Math.ceil(total / 10) * 10, check })}
      </Text>
      {typed !== undefined && (
        <Text size="xs" component="span">
          {typed === String(check) ? (
            <Tone tone="good">{t('codeHelp.checkRight', { check })}</Tone>
          ) : (
            <Tone tone="bad">{t('codeHelp.checkWrong', { typed, check })}</Tone>
          )}
        </Text>
      )}
    </Stack>
  );
}

const PARTS = [
  { name: 'country', from: 0, to: 2 },
  { name: 'operator', from: 2, to: 8 },
  { name: 'postcode', from: 8, to: 13 },
  { name: 'number', from: 13, to: 33 },
] as const;

function MeloHelp({ code }: { code: string }) {
  const { t } = useTranslation('measure');
  if (code.length === 0) return <Hint text={t('codeHelp.melo')} />;
  return (
    <Stack gap={4}>
      <Group gap="md">
        {PARTS.map(({ name, from, to }) => (
          <Stack key={name} gap={0}>
            <Text size="sm" className="mono">
              {code.slice(from, to).padEnd(to - from, '·')}
            </Text>
            <Text size="xs" c="var(--emt-dimmed)">
              {t(`codeHelp.${name}`)}
            </Text>
          </Stack>
        ))}
      </Group>
      <Hint text={t('codeHelp.typed', { count: code.length })} />
    </Stack>
  );
}

function Hint({ text }: { text: string }) {
  return (
    <Text size="xs" c="var(--emt-dimmed)">
      {text}
    </Text>
  );
}
