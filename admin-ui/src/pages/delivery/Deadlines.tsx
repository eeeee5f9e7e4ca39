import { Button, Group, NumberInput, Table, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '@/api/client';
import { tenantKey } from '@/api/query';
import { FormDialog } from '@/components/FormDialog';
import { Panel } from '@/components/Panel';
import { ProblemAlert } from '@/components/ProblemAlert';
import { formatCount } from '@/lib/decimal';
import { useTenant } from '@/session/context';

const HOUR = 3600;
const MOST_HOURS = 720;

/** Within how many hours partners answer; behind that a file is overdue. */
export function Deadlines() {
  const { t, i18n } = useTranslation('sent');
  const { tenant, may } = useTenant();
  const client = useQueryClient();
  const [setting, setSetting] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const key = tenantKey(tenant, 'acknowledgement-rules');
  const { data, error, refetch } = useQuery({
    queryKey: key,
    queryFn: () =>
      call(
        api.GET('/api/v1/tenants/{tenant}/acknowledgement-rules', { params: { path: { tenant } } }),
      ),
  });
  const hours = (seconds: number) => formatCount(Math.round(seconds / HOUR), i18n.language);
  const remove = async (partner: string) => {
    setFailure(null);
    try {
      await call(
        api.DELETE('/api/v1/tenants/{tenant}/acknowledgement-rules/{partner}', {
          params: { path: { tenant, partner } },
        }),
      );
      await client.invalidateQueries({ queryKey: key });
    } catch (problem) {
      setFailure(problem);
    }
  };
  const name = (partner: string) => (partner === 'default' ? t('rules.default') : partner);
  return (
    <Panel
      title={t('rules.title')}
      actions={
        may('setAcknowledgementRule') && (
          <Button size="xs" variant="default" onClick={() => setSetting(true)}>
            {t('rules.set')}
          </Button>
        )
      }
    >
      <ProblemAlert error={error ?? failure} retry={() => void refetch()} />
      {data && <Text size="sm">{t('rules.text', { hours: hours(data.without_rule_s) })}</Text>}
      {data && data.items.length > 0 && (
        <Table mt="xs" fz="sm" w="auto">
          <Table.Tbody>
            {data.items.map(({ partner, within_s }) => (
              <Table.Tr key={partner}>
                <Table.Td className="mono">{name(partner)}</Table.Td>
                <Table.Td>
                  {within_s === 0 ? t('rules.off') : `${hours(within_s)} ${t('rules.within')}`}
                </Table.Td>
                <Table.Td>
                  {may('deleteAcknowledgementRule') && (
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={t('rules.removeOf', { partner: name(partner) })}
                      onClick={() => void remove(partner)}
                    >
                      {t('rules.remove')}
                    </Button>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {setting && <SetDeadline close={() => setSetting(false)} />}
    </Panel>
  );
}

function SetDeadline({ close }: { close: () => void }) {
  const { t } = useTranslation('sent');
  const { tenant } = useTenant();
  const client = useQueryClient();
  const form = useForm<{ partner: string; hours: number | string }>({
    initialValues: { partner: '', hours: 24 },
    validate: {
      partner: (value) => (value === '' || /^\d{13}$/.test(value) ? null : t('rules.partnerFault')),
      hours: (value) =>
        typeof value === 'number' && value >= 0 && value <= MOST_HOURS
          ? null
          : t('rules.hoursFault'),
    },
  });
  return (
    <FormDialog
      opened
      close={close}
      title={t('rules.set')}
      action={t('common:save')}
      form={form}
      run={async ({ partner, hours }) => {
        await call(
          api.PUT('/api/v1/tenants/{tenant}/acknowledgement-rules/{partner}', {
            params: { path: { tenant, partner: partner || 'default' } },
            body: { within_s: Number(hours) * HOUR },
          }),
        );
        await client.invalidateQueries({ queryKey: tenantKey(tenant, 'acknowledgement-rules') });
        await client.invalidateQueries({ queryKey: tenantKey(tenant, 'exports') });
      }}
    >
      <Group grow align="start">
        <TextInput
          label={t('rules.partner')}
          description={t('rules.partnerHint')}
          classNames={{ input: 'mono' }}
          maxLength={13}
          data-autofocus
          {...form.getInputProps('partner')}
        />
        <NumberInput
          label={t('rules.within')}
          description={t('rules.withinHint')}
          min={0}
          max={MOST_HOURS}
          allowDecimal={false}
          required
          {...form.getInputProps('hours')}
        />
      </Group>
    </FormDialog>
  );
}
