import { Group, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '@/api/client';
import { QrCode } from '@/components/QrCode';
import { SecretOnce } from '@/components/SecretOnce';
import { Time } from '@/components/Time';

/** The command that makes a gateway known, to copy or to scan on the spot. */
export function EnrolmentBox({ enrolment }: { enrolment: Schemas['Enrolment'] }) {
  const { t } = useTranslation('shell');
  return (
    <Group align="start" gap="md">
      <Stack gap="xs" flex="1 1 300px" miw={0}>
        <SecretOnce label={t('enrolment.command')} value={enrolment.command} />
        <Text size="sm">{t('enrolment.commandText')}</Text>
        <Text size="sm">
          {t('enrolment.validUntil')} <Time at={enrolment.expires_at} />
        </Text>
      </Stack>
      <QrCode text={enrolment.command} label={t('enrolment.qr')} />
    </Group>
  );
}
