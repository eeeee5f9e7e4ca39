import { Button, Group, Input, PasswordInput, Stack, Text, Textarea } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Tone } from '@/components/measure/Tone';

interface Props {
  label: string;
  description?: string | undefined;
  /** there is one at the server */
  stored: boolean;
  /** a key of several lines */
  long: boolean;
  /** '': as it is; null: forget it */
  value: string | null;
  onChange: (value: string | null) => void;
  error?: ReactNode;
}

/** A secret goes in and never comes out: it is set, replaced or forgotten. */
export function SecretField({ label, description, stored, long, value, onChange, error }: Props) {
  const { t } = useTranslation('delivery');
  const [replacing, setReplacing] = useState(false);
  const asItIs = () => {
    setReplacing(false);
    onChange('');
  };
  if (stored && !replacing) {
    const gone = value === null;
    return (
      <Input.Wrapper label={label} error={error} labelElement="div">
        <Group gap="sm" mt={2} role="group" aria-label={label}>
          <Text size="sm" component="span">
            <Tone tone={gone ? 'bad' : 'good'}>
              {t(gone ? 'secret.willForget' : 'secret.stored')}
            </Tone>
          </Text>
          {gone ? (
            <Button size="compact-xs" variant="default" onClick={asItIs}>
              {t('secret.keep')}
            </Button>
          ) : (
            <>
              <Button size="compact-xs" variant="default" onClick={() => setReplacing(true)}>
                {t('secret.replace')}
              </Button>
              <Button size="compact-xs" variant="default" onClick={() => onChange(null)}>
                {t('secret.forget')}
              </Button>
            </>
          )}
        </Group>
      </Input.Wrapper>
    );
  }
  const input = {
    label,
    description,
    error,
    autoComplete: 'off',
    value: value ?? '',
    onChange: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  };
  return (
    <Stack gap={4}>
      {long ? (
        <Textarea
          {...input}
          rows={4}
          maxLength={16_384}
          spellCheck={false}
          classNames={{ input: 'mono' }}
        />
      ) : (
        <PasswordInput
          {...input}
          autoComplete="new-password"
          maxLength={1000}
          visibilityToggleButtonProps={{ 'aria-label': t('secret.show') }}
        />
      )}
      {replacing && (
        <Group>
          <Button size="compact-xs" variant="default" onClick={asItIs}>
            {t('secret.keep')}
          </Button>
        </Group>
      )}
    </Stack>
  );
}
