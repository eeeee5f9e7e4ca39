import { Button, Group, NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

/** The row of filters above a list; `active` offers to take them all away. */
export function FilterBar({
  children,
  active,
  clear,
}: {
  children: ReactNode;
  active: boolean;
  clear: () => void;
}) {
  const { t } = useTranslation('measure');
  return (
    <Group gap="xs" mb="sm" align="end" role="search">
      {children}
      {active && (
        <Button variant="subtle" size="compact-sm" mb={4} onClick={clear}>
          {t('filter.clear')}
        </Button>
      )}
    </Group>
  );
}

export function FilterSelect({
  label,
  value,
  options,
  onChange,
  all,
}: {
  label: string;
  value: string | undefined;
  options: { value: string; label: string }[];
  onChange: (value: string | undefined) => void;
  /** what the empty choice is called */
  all: string;
}) {
  return (
    <NativeSelect
      size="xs"
      label={label}
      value={value ?? ''}
      data={[{ value: '', label: all }, ...options]}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
    />
  );
}

/** Text that is asked for when typing rests. */
export function FilterText({
  label,
  value,
  onChange,
  placeholder,
  width = 190,
}: {
  label: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  placeholder?: string;
  width?: number;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  const settle = useDebouncedCallback((text: string) => {
    onChange(text.trim() || undefined);
    setTyped(null);
  }, 300);
  return (
    <TextInput
      size="xs"
      label={label}
      w={width}
      value={typed ?? value ?? ''}
      placeholder={placeholder}
      maxLength={100}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        settle(event.currentTarget.value);
      }}
    />
  );
}
