import { TextInput } from '@mantine/core';

interface Props {
  label: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

/** A German local day, in the browser's own picker. */
export function FilterDay({ label, value, onChange }: Props) {
  return (
    <TextInput
      type="date"
      size="xs"
      label={label}
      w={150}
      value={value ?? ''}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
    />
  );
}
