import {
  Alert,
  Button,
  FileInput,
  Group,
  Modal,
  Stack,
  Table,
  Text,
  Textarea,
} from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { newIdempotencyKey, type Schemas } from '@/api/client';
import { ProblemAlert } from '@/components/ProblemAlert';
import { saveBlob } from './download';
import classes from './measure.module.css';
import { Tone } from './Tone';

type Result = Schemas['ImportResult'];

interface Props {
  opened: boolean;
  close: () => void;
  title: string;
  /** which columns there are and what they mean */
  help: ReactNode;
  example: string;
  /** nothing of the text is kept after sending: keys */
  secret?: boolean;
  send: (csv: string, idempotencyKey: string) => Promise<Result>;
}

const SHOWN = 500;
const LARGEST = 4 * 1024 * 1024;

/** A file or pasted lines; afterwards each line's result, the rejected ones first. */
export function CsvImport({ opened, close, title, help, example, secret = false, send }: Props) {
  const { t } = useTranslation('measure');
  const [text, setText] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [result, setResult] = useState<Result | null>(null);
  // The same lines sent again after a lost answer are not taken twice.
  const [key, setKey] = useState(newIdempotencyKey);

  const change = (next: string) => {
    setText(next);
    setFault(null);
    setError(null);
    setKey(newIdempotencyKey());
  };
  const leave = () => {
    change('');
    setResult(null);
    close();
  };
  const read = async (file: File | null) => {
    if (!file) return;
    if (file.size > LARGEST) setFault(t('import.tooLarge'));
    else change(await file.text());
  };
  const go = async () => {
    if (!text.trim()) return setFault(t('import.empty'));
    setBusy(true);
    setError(null);
    try {
      setResult(await send(text, key));
      setText('');
      setKey(newIdempotencyKey());
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Modal
      opened={opened}
      onClose={leave}
      title={title}
      size="xl"
      closeButtonProps={{ 'aria-label': t('common:close') }}
    >
      {result ? (
        <Outcome result={result} again={() => setResult(null)} leave={leave} />
      ) : (
        <Stack gap="sm">
          <Text size="sm" component="div">
            {help}
          </Text>
          <FileInput
            label={t('import.file')}
            placeholder={t('import.choose')}
            accept=".csv,text/csv,text/plain"
            onChange={(file) => void read(file)}
            error={fault}
          />
          <Textarea
            label={t('import.paste')}
            placeholder={example}
            value={text}
            onChange={(event) => change(event.currentTarget.value)}
            autosize
            minRows={5}
            maxRows={12}
            autoComplete="off"
            spellCheck={false}
            classNames={{ input: 'mono' }}
          />
          {secret && (
            <Text size="xs" c="var(--emt-dimmed)">
              {t('import.secret')}
            </Text>
          )}
          <ProblemAlert error={error} />
          <Group justify="space-between">
            <Button
              variant="subtle"
              size="compact-sm"
              onClick={() =>
                saveBlob(new Blob([`${example}\n`], { type: 'text/csv' }), 'template.csv')
              }
            >
              {t('import.template')}
            </Button>
            <Group gap="xs">
              <Button variant="default" onClick={leave}>
                {t('common:cancel')}
              </Button>
              <Button loading={busy} onClick={() => void go()}>
                {t('import.send')}
              </Button>
            </Group>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

function Outcome({
  result,
  again,
  leave,
}: {
  result: Result;
  again: () => void;
  leave: () => void;
}) {
  const { t } = useTranslation('measure');
  const { accepted, rejected } = result;
  const lines = [...result.lines].sort(
    (a, b) => Number(a.result === 'accepted') - Number(b.result === 'accepted') || a.line - b.line,
  );
  return (
    <Stack gap="sm">
      <Alert
        color={rejected > 0 ? 'orange' : 'teal'}
        title={t('import.done', { accepted, rejected })}
        role="status"
      >
        <Text size="sm">{t(rejected > 0 ? 'import.someRejected' : 'import.allAccepted')}</Text>
      </Alert>
      {lines.length > 0 && (
        <div className={classes.scroll} tabIndex={0} role="group" aria-label={t('import.lines')}>
          <Table stickyHeader>
            <Table.Thead>
              <Table.Tr>
                <Table.Th w={80}>{t('import.line')}</Table.Th>
                <Table.Th w={150}>{t('import.result')}</Table.Th>
                <Table.Th>{t('import.reason')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {lines.slice(0, SHOWN).map((line) => (
                <Table.Tr key={line.line}>
                  <Table.Td>{line.line}</Table.Td>
                  <Table.Td>
                    <Tone tone={line.result === 'accepted' ? 'good' : 'bad'}>
                      {t(`import.${line.result}`)}
                    </Tone>
                  </Table.Td>
                  <Table.Td className="break">{line.reason ?? line.id ?? ''}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      {lines.length > SHOWN && (
        <Text size="xs">{t('import.more', { count: lines.length - SHOWN })}</Text>
      )}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={again}>
          {t('import.again')}
        </Button>
        <Button onClick={leave}>{t('common:close')}</Button>
      </Group>
    </Stack>
  );
}
